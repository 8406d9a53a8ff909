// What the page of a report does: picks entries and draws the charts.
import type { ReportData } from '../data.js';
import { drawBars } from './bars.js';
import { resizeAll, shownOf, type View } from './chart.js';
import { drawConflicts } from './conflicts.js';
import { drawCurves } from './curves.js';
import { drawGains } from './gains.js';
import { type Theme, themeOf } from './theme.js';

const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as ReportData;
const dark = matchMedia('(prefers-color-scheme: dark)');

/** The places, which are colours, of the entries in the charts. */
const picked = new Map<number, number>();
pick(data.baseline);
const best = [...data.entries.keys()]
  .filter((e) => e !== data.baseline && data.entries[e]?.auc.mean)
  .sort((a, b) => meanOf(b) - meanOf(a))
  .slice(0, 3);
for (const e of best.sort((a, b) => a - b)) pick(e);
let conflictsOf = [...data.entries.keys()].filter((e) => data.entries[e]?.conflicts)[0];
if (data.entries[data.baseline]?.conflicts) conflictsOf = data.baseline;

function meanOf(entry: number): number {
  return data.entries[entry]?.auc.mean?.mean ?? 0;
}

/** Takes an entry into the charts, with the first free colour. */
function pick(entry: number): void {
  const taken = new Set(picked.values());
  let place = entry === data.baseline ? 0 : 1;
  while (taken.has(place)) place++;
  picked.set(entry, place);
}

function swatches(theme: Theme): void {
  for (const swatch of document.querySelectorAll<HTMLElement>('.swatch[data-entry]')) {
    const place = picked.get(Number(swatch.dataset.entry));
    swatch.style.background = place === undefined ? '' : theme.color(place);
  }
}

function buttons(): void {
  const nav = document.getElementById('shown');
  if (!nav) return;
  const label = document.createElement('span');
  label.textContent = 'In the charts:';
  const made = [...data.entries.keys()].map((e) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-pressed', String(picked.has(e)));
    const swatch = document.createElement('span');
    swatch.className = 'swatch';
    swatch.dataset.entry = String(e);
    button.append(swatch, data.entries[e]?.label ?? '');
    button.addEventListener('click', () => {
      if (!picked.delete(e)) pick(e);
      button.setAttribute('aria-pressed', String(picked.has(e)));
      drawAll();
    });
    return button;
  });
  nav.replaceChildren(label, ...made);
}

function conflictChoice(): void {
  const select = document.getElementById('conflict-entry') as HTMLSelectElement | null;
  if (!select) return;
  select.replaceChildren(
    ...[...data.entries.keys()]
      .filter((e) => data.entries[e]?.conflicts)
      .map((e) => new Option(data.entries[e]?.label, String(e), false, e === conflictsOf)),
  );
  select.addEventListener('change', () => {
    conflictsOf = Number(select.value);
    drawAll();
  });
}

function drawAll(): void {
  const theme = themeOf(dark.matches);
  const shown = [...data.entries.entries()].flatMap(([e, entry]) => {
    const place = picked.get(e);
    return place === undefined ? [] : [shownOf(entry, place, theme)];
  });
  const view: View = { data, shown, theme };
  swatches(theme);
  drawBars(view);
  drawCurves(view);
  drawGains(view);
  const conflicts = conflictsOf === undefined ? null : data.entries[conflictsOf]?.conflicts;
  const share = document.getElementById('conflict-share');
  if (conflicts && share) drawConflicts(view, conflicts, share);
}

buttons();
conflictChoice();
drawAll();
dark.addEventListener('change', drawAll);
addEventListener('resize', resizeAll);
