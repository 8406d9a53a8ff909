import { BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  MarkLineComponent,
  MarkPointComponent,
  TitleComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components';
import { type EChartsCoreOption, type EChartsType, init, use } from 'echarts/core';
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers';
import type { ReportData, ReportEntry } from '../data.js';
import { colors, type Theme } from './theme.js';

use([
  AriaComponent,
  BarChart,
  CanvasRenderer,
  CustomChart,
  DataZoomComponent,
  GridComponent,
  HeatmapChart,
  LineChart,
  MarkLineComponent,
  MarkPointComponent,
  SVGRenderer,
  ScatterChart,
  TitleComponent,
  TooltipComponent,
  VisualMapComponent,
]);

/** An entry as charts draw it. */
export interface Shown {
  readonly entry: ReportEntry;
  readonly color: string;
  /** Colours come again after eight entries: with other lines and symbols. */
  readonly dash: 'solid' | 'dashed' | 'dotted';
  readonly symbol: 'circle' | 'rect' | 'triangle';
}

/** What charts draw: the page's data, the entries that were picked, and colours. */
export interface View {
  readonly data: ReportData;
  readonly shown: readonly Shown[];
  readonly theme: Theme;
}

/** An entry with the looks of a place: 0 is the baseline's. */
export function shownOf(entry: ReportEntry, place: number, theme: Theme): Shown {
  const round = place === 0 ? 0 : Math.floor((place - 1) / colors) % 3;
  return {
    entry,
    color: theme.color(place),
    dash: (['solid', 'dashed', 'dotted'] as const)[round] ?? 'solid',
    symbol: (['circle', 'rect', 'triangle'] as const)[round] ?? 'circle',
  };
}

/** More drawn things than this go onto a canvas: as elements they would be slow. */
const mostElements = 6000;

/** Draws into an element of the page, anew each time. Nothing without the element. */
export function draw(
  id: string,
  option: EChartsCoreOption,
  {
    elements = 0,
    height,
    width,
  }: { readonly elements?: number; readonly height?: number; readonly width?: number } = {},
): EChartsType | undefined {
  const element = document.getElementById(id);
  if (!element) return undefined;
  if (height !== undefined) element.style.height = `${height}px`;
  if (width !== undefined) element.style.width = `${width}px`;
  charts.get(id)?.dispose();
  const chart = init(element, null, { renderer: elements > mostElements ? 'canvas' : 'svg' });
  const { fontFamily } = getComputedStyle(document.body);
  chart.setOption({
    animation: false,
    aria: { enabled: true },
    textStyle: { fontFamily },
    ...option,
  });
  charts.set(id, chart);
  return chart;
}

const charts = new Map<string, EChartsType>();

export function resizeAll(): void {
  for (const chart of charts.values()) chart.resize();
}

/** Common looks of axes. */
export function axis(theme: Theme, name: string): Record<string, unknown> {
  return {
    name,
    nameTextStyle: { color: theme.muted, fontSize: 12 },
    axisLine: { lineStyle: { color: theme.line } },
    axisTick: { lineStyle: { color: theme.line } },
    axisLabel: { color: theme.muted, fontSize: 12 },
    splitLine: { lineStyle: { color: theme.line } },
  };
}

export function tooltip(theme: Theme): Record<string, unknown> {
  return {
    backgroundColor: theme.card,
    borderColor: theme.line,
    textStyle: { color: theme.text, fontSize: 13 },
    confine: true,
  };
}

/** Text for a tooltip, which takes HTML. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}

/** A name that fits below an axis: of a long one both ends, as names often differ in the last characters alone. */
export function short(name: string): string {
  return name.length > 18 ? `${name.slice(0, 10)}…${name.slice(-7)}` : name;
}

export function rowsText(rows: number): string {
  return rows.toLocaleString('en');
}
