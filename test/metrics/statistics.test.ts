import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metrics } from '../../ts/index.js';

interface Fixture {
  readonly labels: number[];
  readonly offsets: number[];
  readonly runs: number[][];
  readonly aucs: number[];
  readonly deviation: number;
  readonly low: number;
  readonly high: number;
  readonly differences: number[];
  readonly quantiles: [number, number];
  readonly table: number[][];
  readonly ranks: number[][];
  readonly meanRanks: number[];
  readonly deviations: number[];
}
const path = new URL('../fixtures/statistics.json', import.meta.url);
const fixture = JSON.parse(readFileSync(path, 'utf8')) as Fixture;
const rows = {
  labels: Float32Array.from(fixture.labels),
  domainOffsets: Int32Array.from(fixture.offsets),
};
const runs = fixture.runs.map((run) => Float32Array.from(run));

/** Mean of the domains' AUCs without resampling. */
function meanAuc(scores: Float32Array): number {
  const { labels, domainOffsets } = rows;
  const aucs = [...domainOffsets.subarray(1)].map((end, d) => {
    const begin = domainOffsets[d];
    return Number(metrics.auc(scores.subarray(begin, end), labels.subarray(begin, end)));
  });
  return aucs.reduce((sum, own) => sum + own, 0) / aucs.length;
}

describe('bootstrap', () => {
  it('spreads as resamples in scikit-learn and NumPy do', async () => {
    const observed = runs.map(meanAuc);
    observed.forEach((auc, r) => {
      expect(auc).toBeCloseTo(Number(fixture.aucs[r]), 12);
    });
    const [first, second] = await metrics.bootstrapAuc(runs, rows, { resamples: 4000 });
    const differences = (first as Float64Array).map((auc, i) => auc - Number(second?.[i]));
    const spread = metrics.spreadOf([...differences]);
    // Two sets of 4000 draws: their deviations differ by 1.6% (one sigma), their means by 2%
    // of the deviation.
    const { deviation, low, high } = fixture;
    const difference = Number(observed[0]) - Number(observed[1]);
    expect(Number(spread?.deviation) / deviation).toBeGreaterThan(0.95);
    expect(Number(spread?.deviation) / deviation).toBeLessThan(1.05);
    expect(Math.abs(Number(spread?.mean) - difference)).toBeLessThan(0.06 * deviation);
    const found = metrics.significanceOf(difference, differences);
    expect(Math.abs(found.low - low)).toBeLessThan(0.15 * deviation);
    expect(Math.abs(found.high - high)).toBeLessThan(0.15 * deviation);
  });

  it('draws by its seed, the same rows for all runs', async () => {
    const own = runs[0] as Float32Array;
    const draw = async (seed: number) =>
      (await metrics.bootstrapAuc([own, own], rows, { resamples: 20, seed })).map(String);
    const [first, again, other] = await Promise.all([draw(1), draw(1), draw(2)]);
    expect(first?.[0]).toBe(first?.[1]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('takes interval and p from the resamples', () => {
    const { differences, quantiles } = fixture;
    const { low, high, p } = metrics.significanceOf(0.1, Float64Array.from(differences));
    expect(low).toBeCloseTo(quantiles[0], 12);
    expect(high).toBeCloseTo(quantiles[1], 12);
    const below = differences.filter((value) => value <= 0).length;
    const above = differences.filter((value) => value >= 0).length;
    expect(p).toBeCloseTo((2 * (Math.min(below, above) + 1)) / 201, 12);
    expect(metrics.significanceOf(0, new Float64Array(10)).p).toBe(1);
    expect(metrics.significanceOf(1, new Float64Array(99).fill(1)).p).toBeCloseTo(0.02, 12);
  });

  it('refuses what does not fit', async () => {
    await expect(metrics.bootstrapAuc([new Float32Array(3)], rows)).rejects.toThrow(
      /3 scores and 485 labels/,
    );
    const reversed = { ...rows, domainOffsets: Int32Array.of(0, 400, 300, 485) };
    await expect(metrics.bootstrapAuc(runs, reversed)).rejects.toThrow(/rise from 0 to the 485/);
    const wide = { ...rows, labels: Float64Array.from(rows.labels) as never };
    await expect(metrics.bootstrapAuc(runs, wide)).rejects.toThrow(/labels.*of another kind/);
    const listed = { ...rows, domainOffsets: [...rows.domainOffsets] as never };
    await expect(metrics.bootstrapAuc(runs, listed)).rejects.toThrow(/Offsets of another kind/);
    const unknown = (runs[0] as Float32Array).with(7, Number.NaN);
    await expect(metrics.bootstrapAuc([unknown], rows)).rejects.toThrow('row 7 scores NaN');
    expect(() => metrics.auc(unknown, rows.labels)).toThrow('auc: row 7 scores NaN');
    expect(() => metrics.auc([0.1] as never, rows.labels)).toThrow(
      /auc: scores \[0\.1\]; expected a F/,
    );
    expect(() => metrics.logLoss(rows.labels, [1] as never)).toThrow(/logLoss: labels \[1\]; exp/);
    const labels = rows.labels.with(3, Number.NaN);
    expect(() => metrics.auc(runs[0] as Float32Array, labels)).toThrow(/row 3 has label NaN/);
    await expect(metrics.bootstrapAuc(runs, rows, { resamples: 0 })).rejects.toThrow(
      /resamples: 0/,
    );
  });
});

describe('ranks', () => {
  it('are those of pandas', () => {
    const { table, ranks, meanRanks, deviations } = fixture;
    const columns = (table[0] ?? []).map((_, d) => table.map((own) => Number(own[d])));
    columns.forEach((column, d) => {
      expect(metrics.ranksOf(column)).toEqual(ranks.map((own) => own[d]));
    });
    metrics.meanRanks(table).forEach((rank, e) => {
      expect(rank).toBeCloseTo(Number(meanRanks[e]), 12);
    });
    table.forEach((own, e) => {
      expect(metrics.spreadOf(own)?.deviation).toBeCloseTo(Number(deviations[e]), 12);
    });
  });

  it('leave out what is not defined', () => {
    expect(metrics.ranksOf([0.5, null, 0.7])).toEqual([2, null, 1]);
    expect(
      metrics.meanRanks([
        [0.9, 0.1],
        [0.8, null],
      ]),
    ).toEqual([1, 2]);
    expect(metrics.meanRanks([[null], [0.5]])).toEqual([null, null]);
    expect(metrics.spreadOf([null])).toBeNull();
    expect(metrics.spreadOf([2, null])).toEqual({ mean: 2, deviation: null });
    expect(metrics.weightedMean([0.5, null, 1], [1, 5, 3])).toBe(0.875);
    expect(metrics.weightedMean([null], [1])).toBeNull();
  });
});
