import { z } from 'zod';
import type { Schema } from '../data/types.js';
import { ConfigError } from '../errors.js';
import type { NativeInitializer } from '../native/addon.js';
import { Embedding } from '../nn/layers.js';
import { type Batch, Model, type ModelContext } from '../nn/model.js';
import { Module, Parameter } from '../nn/module.js';
import { count, parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { layerShape } from './dnn.js';

/** Options of the embedded fields. */
export const embeddingShape = {
  embeddingDim: count.default(128).describe('Values per embedded field'),
  l2: z.number().gte(0).default(0).describe('L2 of the embedding rows that a step touches'),
};
type EmbeddingOptions = z.output<z.ZodObject<typeof embeddingShape>>;

/** Options of models of hidden layers over embedded fields; defaults are those of MAMDR's public configs. */
export const fieldShape = { ...embeddingShape, ...layerShape };

/** A table per feature and one for the domain, whose last row stands for unknown domains. */
function tables({ features, domains }: Schema, make: (size: number) => Embedding) {
  const made = new Map(features.map(({ name, size }) => [name, make(size)]));
  if (made.has('domain')) {
    throw new ConfigError(
      "a feature is named 'domain', as the embedded domain is; expected another name",
    );
  }
  return made.set('domain', make(domains.length + 1));
}

function read(made: ReadonlyMap<string, Embedding>, { features, domain }: Batch): Tensor[] {
  return [...made].map(([name, table]) =>
    table.forward(name === 'domain' ? domain : (features[name] as Tensor)),
  );
}

/** A model over the embedded features and domain id, with one bias for all logits. */
export abstract class FieldModel<Settings extends EmbeddingOptions> extends Model {
  readonly embedding: Map<string, Embedding>;
  readonly bias = new Parameter([1]);
  readonly #name: string;
  protected readonly settings: Settings;

  /** Throws ConfigError for options that do not fit `shape`, with the model's name. */
  constructor(
    name: string,
    shape: z.ZodType<Settings>,
    { schema, seed, ...options }: ModelContext,
    initializer?: NativeInitializer,
  ) {
    const settings = parse(shape, options, name);
    super(schema, seed);
    this.#name = name;
    this.settings = settings;
    const { embeddingDim, l2 } = settings;
    const table = (size: number) =>
      new Embedding(size, embeddingDim, { l2, ...(initializer && { initializer }) });
    this.embedding = tables(schema, table);
  }

  override describe() {
    return { name: this.#name, options: this.settings };
  }

  /** Width of all embedded fields side by side. */
  protected get width(): number {
    return this.embedding.size * this.settings.embeddingDim;
  }

  /** Slots of a bank: one per domain. */
  protected get slots(): number {
    return this.schema.domains.length;
  }

  /** The embedded fields, each [rows, fieldDim]. */
  protected embed(batch: Batch): Tensor[] {
    return read(this.embedding, batch);
  }
}

/** First-order weights of the features and the domain, zero at the start. */
export class FirstOrder extends Module<[Batch], Tensor> {
  readonly weights: Map<string, Embedding>;

  constructor(schema: Schema, l2: number) {
    super();
    const initializer = { kind: 'zeros', a: 0, b: 0 } as const;
    this.weights = tables(schema, (size) => new Embedding(size, 1, { l2, initializer }));
  }

  /** Their sum [rows, 1]. */
  forward(batch: Batch): Tensor {
    return read(this.weights, batch).reduce((sum, term) => ops.add(sum, term));
  }
}

/** Half of (square of the sum - sum of the squares) of the fields, element by element. */
export function pairwise(fields: readonly Tensor[]): Tensor {
  const sum = (terms: readonly Tensor[]) => terms.reduce((total, term) => ops.add(total, term));
  const squares = sum(fields.map((field) => ops.square(field)));
  return ops.scale(ops.sub(ops.square(sum(fields)), squares), 0.5);
}
