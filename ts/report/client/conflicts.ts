import type { ReportConflicts } from '../data.js';
import { draw, escaped, short, tooltip, type View } from './chart.js';

function cellsOf({ cosines }: ReportConflicts): [number, number, number][] {
  return cosines.flatMap((row, a) =>
    row.flatMap((cosine, b): [number, number, number][] =>
      a === b || cosine === null ? [] : [[b, a, cosine]],
    ),
  );
}

/** Cosines of the domains' gradients: agreement and conflict by pair. */
export function drawConflicts(
  { theme }: View,
  conflicts: ReportConflicts,
  share: HTMLElement,
): void {
  const { domains } = conflicts;
  const cells = cellsOf(conflicts);
  const against = cells.filter(([, , cosine]) => cosine < 0).length / 2;
  share.textContent = `– ${against} of ${cells.length / 2} pairs are in conflict (below 0).`;
  // Never so fine that rounding looks like a pattern.
  const most = Math.max(0.05, ...cells.map(([, , cosine]) => Math.abs(cosine)));
  const size = Math.max(14, Math.min(56, 760 / domains.length));
  const side = size * domains.length;
  const left = 140;
  const width = document.getElementById('conflicts')?.clientWidth ?? 1100;
  const label = {
    color: theme.muted,
    fontSize: size < 18 ? 10 : 12,
    interval: 0,
    formatter: short,
  };
  draw(
    'conflicts',
    {
      grid: { left, top: 8, width: Math.min(side, width - left - 100), height: side },
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
        left: Math.min(side + left, width - 100) + 24,
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
    { elements: cells.length, height: Math.round(side + 120) },
  );
}
