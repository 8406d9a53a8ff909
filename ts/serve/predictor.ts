import { categoryExpected, textOf } from '../data/raw.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError, DataError } from '../errors.js';
import type { Model } from '../nn/model.js';
import { requireOptions, shown } from '../options.js';
import {
  type Columns,
  featureValues,
  type Row,
  requireNumbers,
  Scorer,
  valuesOf,
} from './scorer.js';

export interface PredictOptions {
  /** What becomes of a domain that training has not seen: shared parameters alone, or DataError. */
  readonly unknownDomain?: 'error' | 'shared';
}

/** A trained model with its vocabulary: scores raw rows of any domain. */
export class Predictor {
  readonly #scorers = new Map<number, Scorer>();

  /** @internal Use fit() or load(). */
  constructor(
    readonly model: Model,
    readonly vocabulary: Vocabulary,
  ) {}

  /** The scorer of one domain. Throws DataError for one that training has not seen, ConfigError for wrong options. */
  forDomain(domain: string, options: PredictOptions = {}): Scorer {
    const { unknownDomain = 'error' } = requireOptions(options, 'predict');
    if (unknownDomain !== 'error' && unknownDomain !== 'shared') {
      throw new ConfigError(
        `predict.unknownDomain: ${shown(unknownDomain)}; expected error or shared`,
      );
    }
    const { domains } = this.vocabulary.schema;
    const known = unknownDomain === 'error' || this.vocabulary.hasDomain(domain);
    const index = known ? this.vocabulary.domain(domain) : domains.length;
    if (!known && this.model.compile().scoring.inputNames.includes('slot')) {
      throw new DataError(
        `domain '${domain}' is unknown, and the model has parts of each domain's own; expected one of ${domains.length} known domains`,
      );
    }
    let scorer = this.#scorers.get(index);
    if (!scorer) {
      scorer = new Scorer(this.model, this.vocabulary, index);
      this.#scorers.set(index, scorer);
    }
    return scorer;
  }

  /**
   * Probabilities [rows] of rows of mixed domains, which name theirs in the domain's column. Throws
   * DataError for a missing column or value, for an unknown domain and for a score that is not a number.
   */
  async predict(
    input: readonly Row[] | Columns,
    options: PredictOptions = {},
  ): Promise<Float32Array> {
    const { schema } = this.vocabulary;
    const { domain, features } = schema;
    const names = features.map((feature) => feature.name);
    const domains = valuesOf(input, domain, [domain, ...names]);
    const raw = featureValues(input, schema, [domain, ...names]);
    raw.forEach((values, f) => {
      if (values.length === domains.length) return;
      throw new DataError(
        `column '${names[f]}' has ${values.length} rows; expected ${domains.length} as '${domain}' has`,
      );
    });
    const groups = new Map<string, number[]>();
    for (let row = 0; row < domains.length; row++) {
      const name = textOf(domains[row]);
      if (name === undefined) {
        throw new DataError(
          `row ${row}: '${domain}' is ${shown(domains[row])}; expected ${categoryExpected}`,
        );
      }
      const rows = groups.get(name);
      if (rows) rows.push(row);
      else groups.set(name, [row]);
    }
    const columns = raw.map((values, f) => this.vocabulary.column(f, values));
    const scorers = [...groups.keys()].map((name) => this.forDomain(name, options));
    const scores = new Float32Array(domains.length);
    for (const [g, rows] of [...groups.values()].entries()) {
      const part = columns.map((values) => rowsOf(values, values.length / domains.length, rows));
      (await (scorers[g] as Scorer).predictEncoded(part, rows.length)).forEach((score, i) => {
        scores[rows[i] as number] = score;
      });
    }
    return requireNumbers(scores);
  }
}

/** Some rows of a column that has `width` values in each. */
function rowsOf<Values extends Int32Array | Float32Array>(
  values: Values,
  width: number,
  rows: readonly number[],
): Values {
  const own = new (values.constructor as new (length: number) => Values)(rows.length * width);
  rows.forEach((row, i) => {
    own.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return own;
}
