import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemReturn } from 'echarts';
import { axis, draw, escaped, rowsText, short, tooltip, type View } from './chart.js';

const gaps = { barGap: '12%', barCategoryGap: '28%' } as const;
/** Narrower bars cannot be told apart: the chart then shows a part of the domains, to be moved. */
const narrowest = 5;

/** AUC of every domain by entry, as bars from chance on, with whiskers of a deviation over the seeds. */
export function drawBars({ data, shown, theme }: View): void {
  const order = [...data.domains.keys()].sort(
    (a, b) => Number(data.domains[b]?.rows.train) - Number(data.domains[a]?.rows.train),
  );
  const names = order.map((d) => data.domains[d]?.name ?? '');
  const width = (document.getElementById('bars')?.clientWidth ?? 1100) - 80;
  const fitting = Math.floor((width * 0.7) / (narrowest * Math.max(1, shown.length)));
  const cut = fitting < order.length;
  const values = shown.flatMap(({ entry }) => order.map((d) => entry.auc.byDomain[d] ?? null));
  const ends = values.flatMap((auc) =>
    auc ? [auc.mean - (auc.deviation ?? 0), auc.mean + (auc.deviation ?? 0)] : [],
  );
  const [low, high] = [Math.min(0.5, ...ends), Math.max(0.55, ...ends)];
  const slanted = Math.min(order.length, fitting) > 8;
  const bars = shown.map(({ entry, color }, s) => ({
    type: 'bar',
    name: entry.label,
    ...gaps,
    data: order.map((d) => entry.auc.byDomain[d]?.mean ?? '-'),
    itemStyle: {
      color,
      borderRadius: shown.length * order.length < 200 ? [2, 2, 0, 0] : 0,
      ...(shown[s]?.dash !== 'solid' && {
        decal: { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: 0.8 },
      }),
    },
    emphasis: { focus: 'series' },
  }));
  const whiskers = shown.map(({ entry }, s) => ({
    type: 'custom',
    name: entry.label,
    silent: true,
    z: 5,
    encode: { x: 0, y: [1, 2] },
    data: order.flatMap((d, place) => {
      const auc = entry.auc.byDomain[d];
      return auc?.deviation ? [[place, auc.mean - auc.deviation, auc.mean + auc.deviation]] : [];
    }),
    renderItem: (_: unknown, api: CustomSeriesRenderItemAPI): CustomSeriesRenderItemReturn => {
      const layout = api.barLayout({ count: shown.length, ...gaps })?.[s];
      const x = Number(api.value(0));
      const [middle = 0, bottom = 0] = api.coord([x, api.value(1)]);
      const [, top = 0] = api.coord([x, api.value(2)]);
      const center = middle + (layout?.offsetCenter ?? 0);
      const half = Math.min(4, (layout?.width ?? 8) / 3);
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: 'line' as const,
        shape: { x1, y1, x2, y2 },
        style: { stroke: theme.text, lineWidth: 1.2 },
      });
      return {
        type: 'group',
        children: [
          line(center, bottom, center, top),
          line(center - half, top, center + half, top),
          line(center - half, bottom, center + half, bottom),
        ],
      };
    },
  }));
  draw(
    'bars',
    {
      grid: { left: 56, right: 16, top: 16, bottom: (slanted ? 96 : 40) + (cut ? 36 : 0) },
      tooltip: {
        ...tooltip(theme),
        trigger: 'axis',
        axisPointer: { type: 'shadow' },
        formatter: (points: readonly { dataIndex: number }[]) => {
          const d = order[points[0]?.dataIndex ?? 0] as number;
          const { name = '', rows } = data.domains[d] ?? {};
          const lines = shown.map(({ entry, color }) => {
            const auc = entry.auc.byDomain[d];
            const text = auc
              ? `${auc.mean.toFixed(4)}${auc.deviation === null ? '' : ` ±${auc.deviation.toFixed(4)}`}`
              : 'one class only';
            return `<span style="color:${color}">■</span> ${escaped(entry.label)} <b>${text}</b>`;
          });
          return `<b>${escaped(name)}</b>, ${rowsText(rows?.train ?? 0)} training rows<br>${lines.join('<br>')}`;
        },
      },
      xAxis: {
        type: 'category',
        ...axis(theme, ''),
        data: names,
        axisLabel: {
          color: theme.muted,
          fontSize: 12,
          interval: order.length > 60 && !cut ? 'auto' : 0,
          rotate: slanted ? 40 : 0,
          formatter: short,
        },
      },
      yAxis: {
        type: 'value',
        ...axis(theme, ''),
        min: Math.floor(low * 20) / 20,
        max: Math.min(1, Math.ceil(high * 20) / 20),
        startValue: 0.5,
        axisLabel: { color: theme.muted, formatter: (value: number) => value.toFixed(2) },
      },
      dataZoom: cut
        ? [
            {
              type: 'slider',
              bottom: 8,
              height: 20,
              startValue: 0,
              endValue: Math.max(1, fitting - 1),
              brushSelect: false,
              borderColor: theme.line,
              textStyle: { color: theme.muted },
              labelFormatter: (place: number) => short(names[place] ?? ''),
            },
          ]
        : [],
      series: [...bars, ...whiskers],
    },
    { elements: 4 * values.length, height: 420 },
  );
}
