import type { Spread } from '../metrics/ranks.js';
import type { ReportData, ReportEntry, ReportTuning } from './data.js';
import { type Html, html } from './html.js';

const dash = html`<span class="none">–</span>`;

function spread(value: Spread | null, digits = 4): Html {
  if (!value) return dash;
  const deviation =
    value.deviation === null ? '' : html` <small>±${value.deviation.toFixed(digits)}</small>`;
  return html`${value.mean.toFixed(digits)}${deviation}`;
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}

function memory(bytes: number | null): Html | string {
  if (bytes === null) return dash;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** The largest of some values, with the digits that are shown: ties are best together. */
function best(values: readonly (number | null | undefined)[], sign = 1): string | undefined {
  const defined = values.filter((value) => value !== null && value !== undefined);
  if (defined.length < 2) return undefined;
  return (sign * Math.max(...defined.map((value) => sign * value))).toFixed(4);
}

function mark(value: number | null | undefined, top: string | undefined): string {
  return value !== null && value !== undefined && value.toFixed(4) === top ? 'best' : '';
}

/** The interval of a difference as whiskers on a scale that all entries share. */
function whiskers({ significance }: ReportEntry, reach: number): Html {
  if (!significance) return dash;
  const { difference, low, high, p } = significance;
  const x = (value: number): string => (60 + (54 * value) / reach).toFixed(1);
  const sure = low > 0 ? 'win' : high < 0 ? 'loss' : 'open';
  const told = `${signed(difference)}, 95% interval ${signed(low)} to ${signed(high)}, p ${p.toFixed(3)}`;
  return html`<span class="difference"><svg class="${sure}" viewBox="0 0 120 16" width="120" height="16" role="img" aria-label="${told}"><title>${told}</title><line class="zero" x1="60" x2="60" y1="0" y2="16"/><line x1="${x(low)}" x2="${x(high)}" y1="8" y2="8"/><circle cx="${x(difference)}" cy="8" r="3.5"/></svg>${signed(difference)} <small>p ${p.toFixed(3)}</small></span>`;
}

/** The entries beside each other. */
export function resultsTable({ entries, baseline }: ReportData): Html {
  const means = best(entries.map(({ auc }) => auc.mean?.mean));
  const samples = best(entries.map(({ auc }) => auc.samples?.mean));
  const ranks = best(
    entries.map(({ rank }) => rank),
    -1,
  );
  const intervals = entries.flatMap(({ significance }) => significance ?? []);
  const reach = Math.max(1e-6, ...intervals.flatMap(({ low, high }) => [-low, high]));
  const ranked = entries.some(({ rank }) => rank !== null);
  const measured = entries.some(({ peakBytes }) => peakBytes !== null);
  const head = html`<tr>
    <th scope="col">Entry</th>
    <th scope="col" title="Test AUC, unweighted mean over the domains">AUC<sub>d</sub></th>
    <th scope="col" title="Test AUC, weighted by the domains' rows">AUC<sub>s</sub></th>
    ${ranked ? html`<th scope="col" title="Mean over the domains of the rank among the entries, 1 is best">RANK</th>` : ''}
    ${intervals.length > 0 ? html`<th scope="col" title="Difference of AUC_d with its 95% bootstrap interval over test rows">Gain over the baseline</th>` : ''}
    <th scope="col">Seconds</th>
    ${measured ? html`<th scope="col" title="Largest resident memory of a run's process">Memory</th>` : ''}
  </tr>`;
  const rows = entries.map(
    (entry, e) => html`<tr>
    <th scope="row"><span class="swatch" data-entry="${e}"></span>${entry.label}${e === baseline && entries.length > 1 ? html` <em>baseline</em>` : ''}${entry.failures.map((failure) => html`<div class="failure">failed, ${failure}</div>`)}</th>
    <td class="${mark(entry.auc.mean?.mean, means)}">${spread(entry.auc.mean)}</td>
    <td class="${mark(entry.auc.samples?.mean, samples)}">${spread(entry.auc.samples)}</td>
    ${ranked ? html`<td class="${mark(entry.rank, ranks)}">${entry.rank?.toFixed(2) ?? dash}</td>` : ''}
    ${intervals.length > 0 ? html`<td>${whiskers(entry, reach)}</td>` : ''}
    <td>${spread(entry.seconds, 1)}</td>
    ${measured ? html`<td>${memory(entry.peakBytes)}</td>` : ''}
  </tr>`,
  );
  return html`<div class="scroll"><table><thead>${head}</thead><tbody>${rows}</tbody></table></div>`;
}

/** Domains beside each other, by their training rows. */
export function domainsTable({ domains, entries }: ReportData): Html {
  const order = [...domains.keys()].sort(
    (a, b) => Number(domains[b]?.rows.train) - Number(domains[a]?.rows.train),
  );
  const rows = order.map((d) => {
    const aucs = entries.map(({ auc }) => auc.byDomain[d] ?? null);
    const top = best(aucs.map((auc) => auc?.mean));
    return html`<tr>
      <th scope="row">${domains[d]?.name}</th>
      <td>${domains[d]?.rows.train.toLocaleString('en')}</td>
      <td>${domains[d]?.rows.test.toLocaleString('en')}</td>
      ${aucs.map((auc) => html`<td class="${mark(auc?.mean, top)}">${spread(auc)}</td>`)}
    </tr>`;
  });
  return html`<div class="scroll tall"><table>
    <thead><tr><th scope="col">Domain</th><th scope="col">Training rows</th><th scope="col">Test rows</th>${entries.map(({ label }) => html`<th scope="col" class="entry">${label}</th>`)}</tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}

/** Settings: those that all entries share once, the others by entry; undefined without any. */
export function settingsTable({ entries }: ReportData): Html | undefined {
  const keys = [...new Set(entries.flatMap(({ settings }) => Object.keys(settings)))];
  if (keys.length === 0) return undefined;
  const same = (key: string): boolean =>
    entries.every(({ settings }) => settings[key] === entries[0]?.settings[key]);
  const differing = keys.filter((key) => !same(key));
  const shared = html`<dl>${keys.filter(same).map((key) => html`<div><dt>${key}</dt><dd>${entries[0]?.settings[key]}</dd></div>`)}</dl>`;
  if (differing.length === 0) return shared;
  return html`<h3>Different</h3>
  <div class="scroll"><table class="text">
    <thead><tr><th scope="col">Entry</th>${differing.map((key) => html`<th scope="col">${key}</th>`)}</tr></thead>
    <tbody>${entries.map(({ label, settings }) => html`<tr><th scope="row">${label}</th>${differing.map((key) => html`<td>${settings[key] ?? dash}</td>`)}</tr>`)}</tbody>
  </table></div>
  <h3>The same for all</h3>${shared}`;
}

function values(own: Readonly<Record<string, unknown>>): string {
  return Object.entries(own)
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    .join(', ');
}

function trials({ tried, chosen }: ReportTuning): Html {
  const top = chosen === null ? undefined : values(chosen);
  return html`<table class="text">
    <thead><tr><th scope="col">Tried</th><th scope="col">Validation AUC</th></tr></thead>
    <tbody>${tried.map((trial) => html`<tr class="${values(trial.values) === top ? 'best' : ''}"><td>${values(trial.values)}</td><td>${trial.error ?? trial.validationAuc?.toFixed(4) ?? dash}</td></tr>`)}</tbody>
  </table>`;
}

/** How much each entry was tuned, and what was chosen. */
export function tuningTable({ entries }: ReportData): Html {
  const rows = entries.map(
    ({ label, tuning }) => html`<tr>
      <th scope="row">${label}</th>
      <td>${tuning?.tried.length ?? 1}</td>
      <td>${tuning ? (tuning.chosen ? values(tuning.chosen) : 'every one failed') : dash}</td>
      <td>${tuning ? html`<details><summary>all</summary>${trials(tuning)}</details>` : ''}</td>
    </tr>`,
  );
  return html`<div class="scroll"><table class="text">
    <thead><tr><th scope="col">Entry</th><th scope="col">Combinations tried</th><th scope="col">Chosen</th><th></th></tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}
