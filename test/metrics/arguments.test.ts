import { describe, expect, it } from 'vitest';
import { ConfigError, DataError, metrics, ShapeError } from '../../ts/index.js';
import { errorOf } from '../error-of.js';

// What JavaScript lets through and TypeScript does not.

const wrong = (value: unknown) => value as never;
const scores = Float32Array.of(0.1, 0.9);
const rows = { labels: Float32Array.of(0, 1), domainOffsets: Int32Array.of(0, 2) };
const one = { auc: 0.5, loss: 0.7, rows: 3 };

describe('wrong arguments of metrics', () => {
  type Case = [attempt: () => unknown, type: typeof ShapeError, message: RegExp];
  const cases: Record<string, Case> = {
    'a number for ranks': [
      () => metrics.meanRanks(wrong(3)),
      ShapeError,
      /^meanRanks: 3; expected/,
    ],
    'scores of one entry': [
      () => metrics.meanRanks(wrong([1, 2])),
      ShapeError,
      /^meanRanks: entry 0: 1; expected an array of numbers/,
    ],
    'entries of different length': [
      () => metrics.meanRanks([[1, 2], [1]]),
      ShapeError,
      /^meanRanks: entry 1: 1 values; expected 2/,
    ],
    'a score that is none': [
      () => metrics.ranksOf([1, Number.NaN]),
      DataError,
      /^ranksOf: value 1 is NaN; expected a finite number, or null/,
    ],
    'a text among scores': [
      () => metrics.ranksOf(wrong(['0.5'])),
      DataError,
      /^ranksOf: value 0 is "0\.5"; expected a finite number/,
    ],
    'nothing to spread': [() => metrics.spreadOf(wrong(null)), ShapeError, /^spreadOf: null; exp/],
    'a value without end': [
      () => metrics.spreadOf([1, Number.POSITIVE_INFINITY]),
      DataError,
      /^spreadOf: value 1 is Infinity/,
    ],
    'no weights': [
      () => metrics.weightedMean([1], wrong(undefined)),
      ShapeError,
      /^weightedMean: weights: missing; expected an array/,
    ],
    'a weight too few': [
      () => metrics.weightedMean([1, 2], [1]),
      ShapeError,
      /^weightedMean: weights: 1 values; expected 2/,
    ],
    'no runs': [
      () => metrics.bootstrapAuc(wrong(3), rows),
      ShapeError,
      /^bootstrapAuc: 3; expected an array of runs' scores/,
    ],
    'no rows': [
      () => metrics.bootstrapAuc([scores], wrong(null)),
      ShapeError,
      /^bootstrapAuc: labels or domainOffsets of another kind/,
    ],
    'no options': [
      () => metrics.bootstrapAuc([scores], rows, wrong(null)),
      ConfigError,
      /^bootstrapAuc: null; expected object/,
    ],
    'a seed that is none': [
      () => metrics.bootstrapAuc([scores], rows, { seed: wrong('x') }),
      ConfigError,
      /^bootstrapAuc\.seed: "x"; expected/,
    ],
    'more resamples than memory holds': [
      () => metrics.bootstrapAuc([scores], rows, { resamples: 2 ** 40 }),
      ConfigError,
      /^bootstrapAuc\.resamples: 1099511627776; expected number to be <=1000000/,
    ],
    'no resamples': [
      () => metrics.significanceOf(1, wrong(undefined)),
      ShapeError,
      /^significanceOf: resamples missing; expected a Float64Array/,
    ],
    'a difference that is none': [
      () => metrics.significanceOf(Number.NaN, Float64Array.of(1)),
      DataError,
      /^significanceOf: NaN; expected finite numbers/,
    ],
    'a name for names': [
      () => metrics.summarize(wrong('a'), [one]),
      ShapeError,
      /^summarize: "a"; expected an array of names/,
    ],
    'scores of a domain too few': [
      () => metrics.summarize(['a', 'b'], [one]),
      ShapeError,
      /^summarize: scores: 1 values; expected 2/,
    ],
    'a number for scores of a domain': [
      () => metrics.summarize(['a'], wrong([0.5])),
      DataError,
      /^summarize: scores of domain 'a' 0\.5; expected { auc, loss, rows }/,
    ],
  };

  it.each(Object.entries(cases))('are told: %s', async (_, [attempt, type, message]) => {
    const error = await errorOf(attempt);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
  });
});
