import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../native/load.js';
import type { ReportData } from './data.js';
import { Html, html } from './html.js';
import { domainsTable, resultsTable, settingsTable, tuningTable } from './tables.js';

/** JSON inside a script element: it may not end it. Numbers have the digits that a page can show. */
function embedded(data: ReportData): Html {
  const text = JSON.stringify(data, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
  );
  return new Html(text.replaceAll('<', '\\u003c'));
}

function figure(id: string, title: string, note: Html): Html {
  return html`<section class="card" id="${id}-card">
  <h2>${title}</h2><p class="note">${note}</p>
  <div class="scroll"><div class="chart" id="${id}"></div></div>
</section>`;
}

const barsNote = html`From 0.5, which is chance. Domains by their training rows, the largest first.`;
const whiskersNote = html` Whiskers: standard deviation over the seeds.`;
const curvesNote = html`A line per seed, over all epochs of all stages; a ring marks the epoch that was kept, a dashed line the beginning of a stage.`;
const gainsNote = html`Difference of a domain’s test AUC to the baseline’s against its training rows, with the least-squares line over their logarithm.`;
const conflictsNote = html`<label>Cosine of the domains’ training gradients at the model trained with <select id="conflict-entry"></select></label> <span id="conflict-share"></span>`;

/** A page in one file: its script (Apache ECharts with the charts) and styles stand in it. */
export async function page(data: ReportData): Promise<string> {
  const asset = (name: string): Promise<string> =>
    readFile(join(packageRoot(), 'dist/report', name), 'utf8');
  const [script, style] = await Promise.all([asset('client.js'), asset('style.css')]);
  const several = data.entries.length > 1;
  const seeds = data.entries.some(({ curves }) => curves.length > 1);
  const settings = settingsTable(data);
  const tuned = data.entries.some(({ tuning }) => tuning);
  const conflicts = data.entries.some(({ conflicts: own }) => own);
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${data.title} – polydomain</title>
<style>${new Html(style)}</style>
</head>
<body>
<header><h1>${data.title}</h1><p>${data.subtitle}. polydomain ${data.library}</p></header>
<main>
<section class="card" id="results"><h2>Results</h2>
${resultsTable(data)}
${data.notes.map((note) => html`<p class="note">Note: ${note}</p>`)}
<details><summary>Test AUC of every domain</summary>${domainsTable(data)}</details>
</section>
${several ? html`<nav aria-label="Entries in the charts" id="shown"></nav>` : ''}
${figure('bars', 'Test AUC by domain', html`${barsNote}${seeds ? whiskersNote : ''}`)}
<section class="card" id="curves-card"><h2>Training</h2>
<p class="note">${curvesNote}</p>
<div class="pair"><div class="chart" id="auc-curves"></div><div class="chart" id="loss-curves"></div></div>
</section>
${several ? figure('gains', 'Who gains?', gainsNote) : ''}
${conflicts ? figure('conflicts', 'Conflicts between domains', conflictsNote) : ''}
${settings ? html`<section class="card" id="settings"><h2>Settings</h2>${settings}</section>` : ''}
${tuned ? html`<section class="card" id="tuning"><h2>Tuning</h2><p class="note">With the first seed; the best mean validation AUC decides.</p>${tuningTable(data)}</section>` : ''}
</main>
<script type="application/json" id="data">${embedded(data)}</script>
<script>${new Html(script.replaceAll('</script', '<\\/script'))}</script>
</body>
</html>
`;
  return document.text;
}
