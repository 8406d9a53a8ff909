import type { Dataset } from '../data/dataset.js';
import { DataError } from '../errors.js';
import { suggest } from '../nearest.js';
import type { Model } from '../nn/model.js';

/** Raw values by feature name. */
export type Row = Readonly<Record<string, string | number>>;

/** What scoring needs of a dataset: how raw values become ids. */
export type Encoder = Pick<Dataset, 'schema' | 'encode'>;

/** Scores rows of one domain with its effective parameters. */
export class Scorer {
  readonly #domain: number;

  /** Throws DataError for a domain that the model does not know. */
  constructor(
    private readonly model: Model,
    private readonly encoder: Encoder,
    readonly domain: string,
  ) {
    const { domains } = encoder.schema;
    this.#domain = domains.indexOf(domain);
    if (this.#domain < 0) throw new DataError(`domain '${domain}'${suggest(domain, domains)}`);
  }

  /** Probabilities, off the event loop. Unknown values count as unknown; missing ones throw. */
  async predict(rows: readonly Row[]): Promise<Float32Array> {
    if (rows.length === 0) return new Float32Array();
    const { scoring } = this.model.compile();
    return sigmoid(await scoring.predictAsync(this.#columns(rows), rows.length, this.#domain));
  }

  /** The probability of one row, now. */
  predictSync(row: Row): number {
    const { scoring } = this.model.compile();
    return sigmoid(scoring.predict(this.#columns([row]), 1, this.#domain))[0] as number;
  }

  #columns(rows: readonly Row[]): (Int32Array | Float32Array)[] {
    const { features } = this.encoder.schema;
    const { inputNames } = this.model.compile().scoring;
    return inputNames.map((name) => {
      if (name === 'domain') return new Int32Array(rows.length).fill(this.#domain);
      const at = Number(name.slice('feature:'.length));
      const feature = features[at]?.name ?? name;
      return Int32Array.from(rows, (row, r) => {
        const value = row[feature];
        if (value === undefined) {
          throw new DataError(
            `row ${r}: '${feature}' is missing; expected ${features.map((f) => f.name).join(', ')}`,
          );
        }
        return this.encoder.encode(at, value);
      });
    });
  }
}

function sigmoid(logits: Float32Array): Float32Array {
  return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
}
