import type { Curve, CurvePoint } from '../data.js';
import { axis, draw, escaped, type Shown, tooltip, type View } from './chart.js';

/** Where each stage after the first begins: between which epochs. */
function borders({ points }: Curve): { readonly xAxis: number; readonly name: string }[] {
  return points.flatMap(({ stage }, i) =>
    i > 0 && stage !== points[i - 1]?.stage ? [{ xAxis: i + 0.5, name: stage }] : [],
  );
}

/** The stages of all shown entries; of each entry the first seed's, as those of the others lie close by. */
function stageLines({ shown, theme }: Pick<View, 'shown' | 'theme'>): Record<string, unknown> {
  const found = new Map<string, Record<string, unknown>>();
  for (const { entry, color } of shown) {
    for (const border of entry.curves[0] ? borders(entry.curves[0]) : []) {
      const key = JSON.stringify(border);
      const own = found.has(key) ? theme.muted : color;
      found.set(key, { ...border, lineStyle: { color: own }, label: { color: own } });
    }
  }
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { type: 'dashed', width: 1, opacity: 0.9 },
    label: {
      fontSize: 11,
      position: 'end',
      formatter: ({ name }: { name: string }) => name,
    },
    data: [...found.values()],
  };
}

function lines(
  { entry, color, dash, symbol }: Shown,
  value: (point: CurvePoint) => number | null,
  theme: View['theme'],
): Record<string, unknown>[] {
  return entry.curves.map((curve, c) => ({
    type: 'line',
    name: entry.label,
    data: curve.points.map((point, i) => ({
      value: [i + 1, value(point)],
      seed: curve.seed,
      stage: point.stage,
      epoch: point.epoch,
    })),
    showSymbol: curve.points.length < 4,
    symbol,
    symbolSize: 7,
    lineStyle: { color, width: 1.8, type: dash, opacity: c === 0 ? 1 : 0.55 },
    itemStyle: { color },
    emphasis: { focus: 'none' },
    markPoint: {
      silent: true,
      symbol: 'circle',
      symbolSize: 10,
      label: { show: false },
      itemStyle: { color: theme.card, borderColor: color, borderWidth: 2 },
      data:
        curve.best === null || curve.points.length < 2
          ? []
          : [{ coord: [curve.best + 1, value(curve.points[curve.best] as CurvePoint)] }],
    },
  }));
}

function drawCurve(
  id: string,
  title: string,
  { shown, theme }: Pick<View, 'shown' | 'theme'>,
  value: (point: CurvePoint) => number | null,
): void {
  const most = Math.max(
    2,
    ...shown.flatMap(({ entry }) => entry.curves.map(({ points }) => points.length)),
  );
  draw(
    id,
    {
      title: {
        text: title,
        left: 8,
        textStyle: { color: theme.text, fontSize: 14, fontWeight: 600 },
      },
      grid: { left: 58, right: 34, top: 56, bottom: 44 },
      tooltip: {
        ...tooltip(theme),
        trigger: 'item',
        formatter: ({
          seriesName,
          color,
          data,
        }: {
          seriesName: string;
          color: string;
          data: { value: [number, number]; seed: number; stage: string; epoch: number };
        }) =>
          `<span style="color:${color}">■</span> ${escaped(seriesName)}, seed ${data.seed}<br>${escaped(data.stage)}, epoch ${data.epoch + 1}: <b>${data.value[1].toFixed(4)}</b>`,
      },
      xAxis: {
        type: 'value',
        ...axis(theme, 'epoch'),
        nameLocation: 'middle',
        nameGap: 26,
        min: 1,
        max: most,
        minInterval: 1,
        splitLine: { show: false },
      },
      yAxis: {
        type: 'value',
        ...axis(theme, ''),
        scale: true,
        axisLabel: { color: theme.muted, formatter: (value: number) => value.toFixed(3) },
      },
      series: [
        ...shown.flatMap((own) => lines(own, value, theme)),
        { type: 'line', silent: true, data: [], markLine: stageLines({ shown, theme }) },
      ],
    },
    { height: 340 },
  );
}

/** Validation AUC and training loss by epoch, over all stages one after another. */
export function drawCurves(view: View): void {
  drawCurve('auc-curves', 'Validation AUC', view, ({ auc }) => auc);
  drawCurve('loss-curves', 'Training loss', view, ({ loss }) => loss);
}
