import type { Schema } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { Dropout, Embedding, Linear } from '../nn/layers.js';
import { type Batch, Model } from '../nn/model.js';
import { Parameter } from '../nn/module.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';

export interface MlpOptions {
  /** Values per embedded field. */
  readonly embeddingDim?: number;
  /** Sizes of the hidden layers. */
  readonly hidden?: readonly number[];
  /** Rate of dropout behind each hidden layer. */
  readonly dropout?: number;
  /** L2 of the embedding rows that a step touches. */
  readonly l2?: number;
}

/**
 * Embedded features and domain id, concatenated, through relu layers to one logit: the base model
 * of MAMDR (section V). Defaults are its public configuration's.
 */
export class Mlp extends Model {
  readonly embedding: Map<string, Embedding>;
  readonly hidden: Linear[] = [];
  readonly dropout: Dropout[] = [];
  readonly output: Linear;
  readonly bias = new Parameter([1]);
  readonly #options: Required<MlpOptions>;

  constructor(options: MlpOptions & { readonly schema: Schema; readonly seed?: number }) {
    super(options.schema, options.seed);
    const { embeddingDim = 128, hidden = [256, 128, 64], dropout = 0.5, l2 = 0 } = options;
    if (hidden.length === 0) {
      throw new ConfigError('mlp: hidden []; expected one layer size at least');
    }
    if (!(l2 >= 0)) throw new ConfigError(`mlp: l2 ${l2}; expected a number of 0 at least`);
    this.#options = { embeddingDim, hidden, dropout, l2 };
    const { features, domains } = this.schema;
    this.embedding = new Map(
      features.map(({ name, size }) => [name, new Embedding(size, embeddingDim, { l2 })]),
    );
    this.embedding.set('domain', new Embedding(domains.length, embeddingDim, { l2 }));
    let width = this.embedding.size * embeddingDim;
    for (const size of hidden) {
      this.hidden.push(new Linear(width, size));
      this.dropout.push(new Dropout(dropout));
      width = size;
    }
    this.output = new Linear(width, 1, { bias: false });
  }

  override describe() {
    return { name: 'mlp', options: { ...this.#options } };
  }

  forward({ features, domain }: Batch): Tensor {
    const fields = [...this.embedding].map(([name, table]) =>
      table.forward(name === 'domain' ? domain : (features[name] as Tensor)),
    );
    let x = ops.concat(fields);
    this.hidden.forEach((layer, i) => {
      x = ops.relu(layer.forward(x));
      x = (this.dropout[i] as Dropout).forward(x);
    });
    return ops.add(this.output.forward(x), this.bias);
  }
}

/** The MLP of MAMDR over a dataset's schema. */
export function mlp(
  options: MlpOptions & { readonly schema: Schema; readonly seed?: number },
): Mlp {
  return new Mlp(options);
}
