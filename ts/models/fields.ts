import { z } from 'zod';
import { hasIds, idTables, tableOf } from '../data/features.js';
import type { Feature, Schema } from '../data/types.js';
import { ConfigError } from '../errors.js';
import type { NativeInitializer } from '../native/addon.js';
import { suggest } from '../nearest.js';
import type { Batch } from '../nn/batch.js';
import { Embedding } from '../nn/layers.js';
import { Model, type ModelContext } from '../nn/model.js';
import { Module, Parameter, type ParameterOptions } from '../nn/module.js';
import { count, parse } from '../options.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { layerShape } from './dnn.js';
import { type PretrainedTable, pretrained, pretrainedTables } from './pretrained.js';

const defaultDim = 128;
const dims = z
  .union([count, z.record(z.string(), count)], {
    error:
      'expected an integer of 1 at least, or { default, <feature or domain>: such an integer }',
  })
  .default(defaultDim)
  .describe('Values per embedded field, for all alike or by feature, domain and default');
type FieldDims = z.output<typeof dims>;

/** Options of the embedded fields. */
export const embeddingShape = {
  embeddingDim: dims,
  l2: z.number().gte(0).default(0).describe('L2 of the embedding rows that a step touches'),
  pretrained,
};
type EmbeddingOptions = z.output<z.ZodObject<typeof embeddingShape>>;

/** Options of models of hidden layers over embedded fields; defaults are those of MAMDR's public configs. */
export const fieldShape = { ...embeddingShape, ...layerShape };
/** The same of models in which fields meet element by element. */
export const equalFieldShape = {
  ...fieldShape,
  embeddingDim: z
    .int({ error: 'expected one integer: the fields meet element by element, so all are as wide' })
    .gte(1)
    .default(defaultDim)
    .describe('Values per embedded field'),
};

/** One input of a model's first layer. */
interface Field {
  readonly width: number;
  read(batch: Batch): Tensor;
}

/** What a numeric field is made of: a learned vector times its value, and one for a missing one. */
class NumberEmbedding extends Module<[Tensor], Tensor> {
  readonly weight: Parameter;

  constructor(dim: number, options: ParameterOptions) {
    super();
    this.weight = new Parameter([dim, 2], options);
  }

  /** Value and missing flag [rows, 2]: [rows, dim] (Song et al. 2019, equation 4). */
  forward(pair: Tensor): Tensor {
    return ops.linear(pair, this.weight);
  }
}

interface FieldRule {
  readonly l2: number;
  readonly initializer?: NativeInitializer;
  /** Values per embedded field, by its table; the domain's is 'domain'. */
  dim(table: string): number;
  /** Of numeric fields; undefined: they stand as value and missing flag, without parameters. */
  readonly numberDim?: number | undefined;
  /** By table. */
  readonly pretrained?: ReadonlyMap<string, PretrainedTable>;
}

/**
 * The fields of a schema in its order, the domain last. Features that name one table share it; the last
 * row of the domain's stands for unknown domains.
 */
class Fields {
  readonly tables = new Map<string, Embedding>();
  readonly numbers = new Map<string, NumberEmbedding>();
  readonly list: readonly Field[];

  constructor({ features, domains }: Schema, rule: FieldRule) {
    const { l2 } = rule;
    const init = rule.initializer && { initializer: rule.initializer };
    for (const { name, size } of idTables({ features })) {
      const own = rule.pretrained?.get(name);
      this.tables.set(name, new Embedding(size, rule.dim(name), { l2, ...init, ...own }));
    }
    if (this.tables.has('domain') || features.some(({ name }) => name === 'domain')) {
      throw new ConfigError(
        "a feature is named 'domain', as the embedded domain is; expected another name",
      );
    }
    const domain = new Embedding(domains.length + 1, rule.dim('domain'), { l2, ...init });
    this.tables.set('domain', domain);
    this.list = [
      ...features.map((feature) => this.#field(feature, rule)),
      { width: domain.dim, read: (batch) => domain.forward(batch.domain) },
    ];
  }

  #field(feature: Feature, { l2, initializer, numberDim }: FieldRule): Field {
    const input = ({ features }: Batch): Tensor => features[feature.name] as Tensor;
    if (feature.kind === 'numeric') {
      if (numberDim === undefined) return { width: 2, read: input };
      const own = new NumberEmbedding(numberDim, {
        l2,
        initializer: initializer ?? { kind: 'normal', a: 0, b: 1e-4 },
      });
      this.numbers.set(feature.name, own);
      return { width: numberDim, read: (batch) => own.forward(input(batch)) };
    }
    const table = this.tables.get(tableOf(feature)) as Embedding;
    const read = (batch: Batch): Tensor =>
      feature.kind === 'categorical'
        ? table.forward(input(batch))
        : table.pool(input(batch), feature.pooling);
    return { width: table.dim, read };
  }
}

/** Values per embedded field of a table, as the option says. Throws ConfigError. */
function dimensions({ features }: Schema, option: FieldDims): (table: string) => number {
  if (typeof option === 'number') return () => option;
  const { default: rest = defaultDim, ...own } = option;
  const embedded = features.filter(hasIds);
  const known = [...embedded.map(({ name }) => name), 'domain'];
  const dims = new Map<string, number>();
  for (const [name, dim] of Object.entries(own)) {
    if (!known.includes(name)) {
      throw new ConfigError(`embeddingDim.${name}: no embedded field${suggest(name, known)}`);
    }
    const feature = embedded.find((one) => one.name === name);
    const table = feature ? tableOf(feature) : name;
    const other = dims.get(table);
    if (other !== undefined && other !== dim) {
      throw new ConfigError(
        `embeddingDim.${name}: ${dim}; expected ${other}, as of the other feature of table '${table}'`,
      );
    }
    dims.set(table, dim);
  }
  return (table) => dims.get(table) ?? rest;
}

/** What sets models over fields apart. */
export interface FieldRules {
  /** Fields meet element by element: numeric ones are embedded to the others' size. */
  readonly equal?: boolean;
  /** Of the tables and of what embeds numbers. */
  readonly initializer?: NativeInitializer;
}

/** A model over the fields of a schema and the domain id, with one bias for all logits. */
export abstract class FieldModel<Settings extends EmbeddingOptions> extends Model {
  /** Tables by name: a feature's own, or the one that it shares. */
  readonly embedding: Map<string, Embedding>;
  readonly numeric: Map<string, NumberEmbedding>;
  readonly bias = new Parameter([1]);
  readonly #fields: readonly Field[];
  readonly #name: string;
  protected readonly settings: Settings;

  /** Throws ConfigError for options that do not fit `shape`, with the model's name. */
  constructor(
    name: string,
    shape: z.ZodType<Settings>,
    context: ModelContext,
    { equal = false, initializer }: FieldRules = {},
  ) {
    const { schema, vocabulary, seed, ...options } = context ?? {};
    const settings = parse(shape, options, name);
    super(schema, seed);
    this.#name = name;
    this.settings = settings;
    const { embeddingDim, l2 } = settings;
    const pretrained = pretrainedTables(settings.pretrained ?? {}, schema, vocabulary);
    const dim = dimensions(schema, embeddingDim);
    const numberDim = equal ? dim('domain') : undefined;
    const init = initializer && { initializer };
    const fields = new Fields(schema, { l2, dim, numberDim, pretrained, ...init });
    this.embedding = fields.tables;
    this.numeric = fields.numbers;
    this.#fields = fields.list;
  }

  override describe() {
    return { name: this.#name, options: this.settings };
  }

  /** Features and the domain. */
  protected get fieldCount(): number {
    return this.#fields.length;
  }

  /** Width of all fields side by side. */
  protected get width(): number {
    return this.#fields.reduce((sum, field) => sum + field.width, 0);
  }

  /** Width of the domain's field. */
  protected get domainWidth(): number {
    return this.#fields.at(-1)?.width ?? 0;
  }

  /** Slots of a bank: one per domain. */
  protected get slots(): number {
    return this.schema.domains.length;
  }

  /** The fields, each [rows, its width], the domain's last. */
  protected embed(batch: Batch): Tensor[] {
    return this.#fields.map((field) => field.read(batch));
  }
}

/** First-order weights of the fields, zero at the start: of a numeric one times its value. */
export class FirstOrder extends Module<[Batch], Tensor> {
  readonly weights: Map<string, Embedding>;
  readonly numeric: Map<string, NumberEmbedding>;
  readonly #fields: readonly Field[];

  constructor(schema: Schema, l2: number) {
    super();
    const initializer = { kind: 'zeros', a: 0, b: 0 } as const;
    const fields = new Fields(schema, { l2, initializer, dim: () => 1, numberDim: 1 });
    this.weights = fields.tables;
    this.numeric = fields.numbers;
    this.#fields = fields.list;
  }

  /** Their sum [rows, 1]. */
  forward(batch: Batch): Tensor {
    return this.#fields.map((field) => field.read(batch)).reduce((sum, term) => ops.add(sum, term));
  }
}

/** Half of (square of the sum - sum of the squares) of the fields, element by element. */
export function pairwise(fields: readonly Tensor[]): Tensor {
  const sum = (terms: readonly Tensor[]) => terms.reduce((total, term) => ops.add(total, term));
  const squares = sum(fields.map((field) => ops.square(field)));
  return ops.scale(ops.sub(ops.square(sum(fields)), squares), 0.5);
}
