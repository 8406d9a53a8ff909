import { z } from 'zod';
import { ConfigError } from '../errors.js';
import { Dropout, Embedding, Linear } from '../nn/layers.js';
import { type Batch, Model, type ModelContext } from '../nn/model.js';
import { Parameter } from '../nn/module.js';
import { count, parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';

export const mlpOptions = z.strictObject({
  embeddingDim: count.default(128).describe('Values per embedded field'),
  hidden: z.array(count).min(1).default([256, 128, 64]).describe('Sizes of the hidden layers'),
  dropout: z.number().gte(0).lt(1).default(0.5).describe('Behind each hidden layer'),
  l2: z.number().gte(0).default(0).describe('L2 of the embedding rows that a step touches'),
});
export type MlpOptions = z.input<typeof mlpOptions>;

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
  readonly #options: z.output<typeof mlpOptions>;

  constructor({ schema, seed, ...options }: MlpOptions & ModelContext) {
    super(schema, seed);
    const { embeddingDim, hidden, dropout, l2 } = parse(mlpOptions, options, 'mlp');
    this.#options = { embeddingDim, hidden, dropout, l2 };
    const { features, domains } = this.schema;
    this.embedding = new Map(
      features.map(({ name, size }) => [name, new Embedding(size, embeddingDim, { l2 })]),
    );
    if (this.embedding.has('domain')) {
      throw new ConfigError(
        "mlp: a feature is named 'domain', as the embedded domain is; expected another name",
      );
    }
    // The last row stands for domains that training has not seen.
    this.embedding.set('domain', new Embedding(domains.length + 1, embeddingDim, { l2 }));
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
export function mlp(options: MlpOptions & ModelContext): Mlp {
  return new Mlp(options);
}
