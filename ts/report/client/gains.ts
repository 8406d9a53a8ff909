import { axis, draw, escaped, rowsText, signed, tooltip, type View } from './chart.js';

/** The least-squares line through (x, y); undefined where all x are one. */
function trend(points: readonly (readonly [number, number])[]) {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  const variance = mean(([x]) => (x - mx) ** 2);
  if (points.length < 3 || variance === 0) return undefined;
  const slope = mean(([x, y]) => (x - mx) * (y - my)) / variance;
  return (x: number): number => my + slope * (x - mx);
}

/** What each domain gains over the baseline against its training rows: do the small ones win? */
export function drawGains({ data, shown, theme }: View): void {
  const base = data.entries[data.baseline];
  const others = shown.filter(({ entry }) => entry !== base);
  const series = others.flatMap(({ entry, color, symbol, dash }) => {
    const points = data.domains.flatMap(({ name, rows }, d) => {
      const own = entry.auc.byDomain[d];
      const auc = base?.auc.byDomain[d];
      return own && auc && rows.train > 0
        ? [{ value: [rows.train, own.mean - auc.mean] as const, name }]
        : [];
    });
    const line = trend(points.map(({ value: [rows, gain] }) => [Math.log(rows), gain] as const));
    const ends = [Math.min, Math.max].map((of) => of(...points.map(({ value }) => value[0])));
    return [
      {
        type: 'scatter',
        name: entry.label,
        data: points,
        symbol,
        symbolSize: data.domains.length > 2000 ? 3 : data.domains.length > 200 ? 5 : 10,
        itemStyle: { color, opacity: 0.85, borderColor: theme.card, borderWidth: 1 },
      },
      {
        type: 'line',
        silent: true,
        showSymbol: false,
        lineStyle: { color, width: 1.5, type: dash, opacity: 0.7 },
        itemStyle: { color },
        data: line ? ends.map((rows) => [rows, line(Math.log(rows))]) : [],
      },
    ];
  });
  const rows = data.domains.map((domain) => domain.rows.train).filter((count) => count > 0);
  const border = (power: number): number => Number((10 ** power).toPrecision(2));
  draw(
    'gains',
    {
      title: {
        show: others.length === 0,
        text: 'Pick entries beside the baseline above.',
        left: 'center',
        top: 'middle',
        textStyle: { color: theme.muted, fontSize: 14, fontWeight: 400 },
      },
      grid: { left: 64, right: 24, top: 20, bottom: 48 },
      tooltip: {
        ...tooltip(theme),
        trigger: 'item',
        formatter: ({
          seriesName,
          color,
          name,
          value: [count, gain],
        }: {
          seriesName: string;
          color: string;
          name: string;
          value: [number, number];
        }) =>
          `<b>${escaped(name)}</b>, ${rowsText(count)} training rows<br><span style="color:${color}">■</span> ${escaped(seriesName)} <b>${signed(gain)}</b>`,
      },
      xAxis: {
        type: 'log',
        ...axis(theme, 'training rows'),
        nameLocation: 'middle',
        nameGap: 28,
        min: border(Math.floor(4 * Math.log10(Math.min(...rows))) / 4),
        max: border(Math.ceil(4 * Math.log10(Math.max(...rows) + 1)) / 4),
        axisLabel: {
          color: theme.muted,
          formatter: (value: number) => rowsText(Math.round(value)),
        },
        splitLine: { show: false },
      },
      yAxis: {
        type: 'value',
        ...axis(theme, ''),
        axisLabel: {
          color: theme.muted,
          formatter: (value: number) => (value === 0 ? '0' : signed(value).slice(0, -1)),
        },
      },
      series: [
        ...series,
        {
          type: 'line',
          silent: true,
          data: [],
          markLine: {
            silent: true,
            symbol: 'none',
            lineStyle: { color: theme.muted, type: 'solid', width: 1 },
            label: { show: false },
            data: [{ yAxis: 0 }],
          },
        },
      ],
    },
    { elements: 2 * others.length * data.domains.length },
  );
}
