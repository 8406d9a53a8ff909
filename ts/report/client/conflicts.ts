import type { ReportConflicts, ReportData } from '../data.js';
import { draw, escaped, rowsText, short, tooltip, type View } from './chart.js';

function cellsOf({ cosines }: ReportConflicts): [number, number, number][] {
  return cosines.flatMap((row, a) =>
    row.flatMap((cosine, b): [number, number, number][] =>
      a === b || cosine === null ? [] : [[b, a, cosine]],
    ),
  );
}

/** What the gradients come from; nothing where the run does not tell. */
function basisOf({ domains, rows }: ReportConflicts, data: ReportData): string {
  if (!rows) return '';
  const all = new Map(data.domains.map((domain) => [domain.name, domain.rows.train]));
  const sampled = rows.filter((own, d) => own < (all.get(domains[d] ?? '') ?? 0));
  if (sampled.length === 0) return ' From all of their training rows.';
  const most = rowsText(Math.max(...sampled));
  return ` From ${most} training rows of a domain at most: a random sample where it has more (${sampled.length} of ${rows.length} domains).`;
}

/** Cosines of the domains' gradients: agreement and conflict by pair. */
export function drawConflicts(
  { data, theme }: View,
  conflicts: ReportConflicts,
  share: HTMLElement,
): void {
  const { domains } = conflicts;
  const cells = cellsOf(conflicts);
  const pairs = cells.filter(([b, a]) => b < a);
  const against = pairs.filter(([, , cosine]) => cosine < 0).length;
  const left = data.domains.length - domains.length;
  const which = left > 0 ? ` of the ${domains.length} domains with the most rows` : '';
  share.textContent = `– ${against} of ${pairs.length} pairs${which} are in conflict (below 0).${basisOf(conflicts, data)}`;
  // Never so fine that rounding looks like a pattern.
  const most = Math.max(0.05, ...cells.map(([, , cosine]) => Math.abs(cosine)));
  const size = Math.max(14, Math.min(56, 760 / domains.length));
  const side = size * domains.length;
  const margin = 140;
  const scale = 100;
  const label = {
    color: theme.muted,
    fontSize: size < 18 ? 10 : 12,
    interval: 0,
    formatter: short,
  };
  draw(
    'conflicts',
    {
      grid: { left: margin, top: 8, width: side, height: side },
      tooltip: {
        ...tooltip(theme),
        formatter: ({ value: [b, a, cosine] }: { value: [number, number, number] }) =>
          `${escaped(domains[a] ?? '')}<br>${escaped(domains[b] ?? '')}<br>cosine <b>${cosine.toFixed(3)}</b>`,
      },
      xAxis: {
        type: 'category',
        data: [...domains],
        axisLabel: { ...label, rotate: 50 },
        axisTick: { show: false },
        axisLine: { show: false },
      },
      yAxis: {
        type: 'category',
        data: [...domains],
        inverse: true,
        axisLabel: label,
        axisTick: { show: false },
        axisLine: { show: false },
      },
      visualMap: {
        min: -most,
        max: most,
        calculable: false,
        orient: 'vertical',
        left: margin + side + 24,
        top: 8,
        itemHeight: Math.max(60, Math.min(180, side - 60)),
        precision: 2,
        text: [`+${most.toFixed(2)}`, `−${most.toFixed(2)}`],
        textStyle: { color: theme.muted },
        inRange: { color: [...theme.diverging] },
      },
      series: [
        {
          type: 'heatmap',
          data: cells,
          itemStyle: { borderColor: theme.card, borderWidth: 1 },
          emphasis: { itemStyle: { borderColor: theme.text } },
        },
      ],
    },
    // Where the page is narrower it is moved sideways.
    { elements: cells.length, height: Math.round(side + 120), width: margin + side + scale },
  );
}
