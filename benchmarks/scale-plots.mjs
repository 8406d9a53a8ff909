// Draws results/scale/measured-<SIMD level>.json, what scale.mjs measured, as SVG beside it.
// Argument: the JSON file.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as echarts from 'echarts';

const path = process.argv[2];
const measured = JSON.parse(readFileSync(path, 'utf8'));
const mib = (bytes) => bytes / 2 ** 20;
/** The epoch that others and first touches of memory disturbed least. */
const best = ({ epochSeconds }) => Math.min(...epochSeconds);
const held = ({ peakBytes, dataBytes }) => mib(peakBytes - dataBytes);
const time = {
  name: 'time',
  of: (point) => best(point),
  unit: 's per epoch',
};
const memory = { name: 'memory', of: held, unit: 'MiB beside the data' };
const perDomain = [
  {
    name: 'time',
    of: (point) => (1000 * best(point)) / point.domains,
    unit: 'ms per domain and epoch',
  },
  { name: 'memory', of: (point) => (1024 * held(point)) / point.domains, unit: 'KiB per domain' },
];
/** Of processors, which neighbours disturb less. */
const cpuPerDomain = {
  name: 'time',
  of: ({ epochCpuSeconds, domains }) => (1000 * Math.min(...epochCpuSeconds)) / domains,
  unit: 'ms of processor time per domain and epoch',
};
const threads = ({ threads: count }) => `${count} thread${count > 1 ? 's' : ''}`;
/** The machine, its level, and the threads where all points have the same. */
const circumstances = ({ machine, points }) => {
  const counts = new Set(points.map(threads));
  return [machine.cpu, machine.simdLevel, ...(counts.size === 1 ? counts : [])].join(', ');
};
const strategy = ({ strategy: name }) => (name === 'mamdr' ? 'MAMDR' : name);
const values = ({ specific, overlayBudget }) =>
  specific
    ? `specific: ${specific.join(', ')}`
    : overlayBudget === undefined
      ? 'all in memory'
      : `overlayBudget ${mib(overlayBudget)} MiB`;

const plots = {
  rows: { x: 'rows', title: 'Training rows', series: threads, panels: [time, memory] },
  tables: {
    x: 'users',
    title: 'Rows of the largest table',
    series: strategy,
    panels: [time, memory],
  },
  domains: {
    x: 'domains',
    title: 'Domains (MAMDR, 20 rows each)',
    series: values,
    panels: perDomain,
  },
  dims: { x: 'embeddingDim', title: 'Embedding size', series: threads, panels: [time, memory] },
  specific: {
    x: 'domains',
    title: "Domains with the paper's MLP (MAMDR)",
    series: values,
    panels: perDomain,
  },
  layers: {
    x: 'domains',
    title: 'Domains with own values of all layers (MAMDR, embedding 128)',
    series: values,
    panels: [cpuPerDomain, memory],
  },
};
// Families of one plot.
measured.domains?.points.push(...(measured.spilled?.points ?? []));
measured.specific?.points.push(...(measured.online?.points ?? []));
const [width, height] = [960, 380];
for (const [family, { x, title, series, panels }] of Object.entries(plots)) {
  if (!measured[family]) continue;
  const { points } = measured[family];
  const places = [...new Set(points.map((point) => point[x]))].sort((a, b) => a - b);
  const names = [...new Set(points.map(series))];
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, subtext: circumstances(measured[family]), left: 'center' },
    legend: { bottom: 0 },
    grid: panels.map((_, i) => ({
      left: 70 + (i * width) / 2,
      width: width / 2 - 110,
      top: 90,
      bottom: 70,
    })),
    xAxis: panels.map((_, i) => ({
      type: 'log',
      gridIndex: i,
      min: 'dataMin',
      max: 'dataMax',
      name: title.replace(/ \(.*/, ''),
      nameLocation: 'middle',
      nameGap: 26,
      axisTick: { customValues: places },
      axisLabel: {
        customValues: places,
        hideOverlap: true,
        formatter: (value) => echarts.format.addCommas(Math.round(value)),
      },
      splitLine: { show: false },
    })),
    yAxis: panels.map(({ unit }, i) => ({
      type: 'log',
      gridIndex: i,
      name: unit,
      nameTextStyle: { align: 'left' },
    })),
    series: panels.flatMap(({ of }, i) =>
      names.map((name) => ({
        name,
        type: 'line',
        xAxisIndex: i,
        yAxisIndex: i,
        data: points
          .filter((point) => series(point) === name)
          .map((point) => [point[x], of(point)]),
      })),
    ),
  });
  const file = join(
    dirname(path),
    `${family}-${basename(path, '.json').replace('measured-', '')}.svg`,
  );
  writeFileSync(file, `${chart.renderToSVGString()}\n`);
  chart.dispose();
  console.log(file);
}
