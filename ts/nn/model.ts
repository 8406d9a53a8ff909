import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { brand } from '../brand.js';
import { hasIds } from '../data/features.js';
import { schemaShape } from '../data/schema.js';
import type { Schema } from '../data/types.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { BusyError, ConfigError } from '../errors.js';
import type {
  NativeOptimizer,
  NativeParameterSpec,
  NativeProgram,
  NativeSession,
  NativeSpace,
} from '../native/addon.js';
import { addon } from '../native/load.js';
import { parse, shown } from '../options.js';
import type { OverlayRule } from '../strategies/types.js';
import * as ops from '../tensor/ops.js';
import { Tensor } from '../tensor/tensor.js';
import { atOnce, inTurns, type Turns } from '../turns.js';
import type { Batch } from './batch.js';
import { headsOf } from './heads.js';
import { Embedding } from './layers.js';
import { requireMemory } from './memory.js';
import { Module, type Parameter } from './module.js';
import { nameStreams } from './streams.js';
import { type Traced, traced } from './traced.js';

/** What every model is made for, beside its own options. */
export interface ModelContext {
  readonly schema: Schema;
  /** The raw values behind the ids: `vocabulary` of a dataset. Pre-trained tables may need it. */
  readonly vocabulary?: Vocabulary | undefined;
  /** Of the parameters' start. */
  readonly seed?: number | undefined;
}

const description = z.object({ name: z.string(), options: z.record(z.string(), z.unknown()) });

/** A traced model: what training and scoring programs are made of. */
export interface Compiled extends Traced {
  readonly space: NativeSpace;
  readonly scoring: NativeProgram;
}

/**
 * A whole model over a schema: a subclass defines forward(batch), which returns logits [rows] or
 * [rows, 1]. Its forward is traced once, when parameters or scores are first asked for.
 */
export abstract class Model extends Module<[Batch], Tensor> {
  readonly #schema: Schema;
  /** Of the parameters' start. */
  readonly seed: number;
  #compiled: Compiled | undefined;
  /** Another model's parameters, until the next compilation takes them. */
  #adopted: NativeSpace | undefined;
  #overlays: OverlayRule | undefined;
  #uncertainty: Embedding | undefined;
  readonly #split: string[] = [];
  /** Whether parameters have values that compilation must not start anew. */
  #filled = false;
  #disposed = false;
  /** Whether open() is at work. */
  #opening = false;

  /** Throws ConfigError for a seed that a run folder could not hold, and for what is no schema. */
  constructor(schema: Schema, seed = 0) {
    super();
    if (!Array.isArray(schema?.features) || !Array.isArray(schema.domains)) {
      throw new ConfigError('schema: missing; expected that of a dataset');
    }
    parse(schemaShape, schema, 'schema');
    this.#schema = schema;
    this.seed = parse(z.int().gte(0), seed, 'seed');
  }

  /** What the model was made for. */
  get schema(): Schema {
    return this.#schema;
  }

  /** Throws ConfigError when data has another schema than the model was made for. */
  requireSchema(schema: Schema): void {
    if (isDeepStrictEqual(schema, this.#schema)) return;
    const brief = ({ features, domains }: Schema): string =>
      `${domains.length} domains, ${features.map((one) => `${one.name}${hasIds(one) ? `[${one.size}]` : ''}`).join(', ')}`;
    throw new ConfigError(
      `the data has ${brief(schema)}; expected the model's ${brief(this.#schema)}, with the same names`,
    );
  }

  /** How domains' own values combine with the shared ones; undefined while they have none. */
  get overlays(): OverlayRule | undefined {
    return this.#overlays;
  }

  /**
   * @internal Domains have values of their own by this rule from now on, or none. Those they have stay
   * when the rule is the same and are dropped otherwise.
   */
  configureOverlays(rule: OverlayRule | undefined): void {
    const { space } = this.compile();
    if (JSON.stringify(rule) !== JSON.stringify(this.#overlays)) space.dropOverlays();
    if (rule) space.configureOverlays(rule.combine, rule.start, rule.specific);
    this.#overlays = rule;
  }

  /** @internal The same for domains that have none yet, while `session` has the space on lease. */
  configureLeasedOverlays(rule: OverlayRule, session: NativeSession): void {
    session.configureOverlays(rule.combine, rule.start, rule.specific);
    this.#overlays = rule;
  }

  /**
   * @internal From now on training minimises BCE / sigma^2 + ln(sigma), with a trained sigma per
   * domain that starts at 1 (MAMDR's public code), or with `weighted` false BCE alone. Where that changes
   * anything, parameters keep their values, in new memory.
   */
  weightLosses(weighted: boolean): void {
    if (weighted === (this.#uncertainty !== undefined)) return;
    this.#rebuild(() => {
      this.#uncertainty = weighted
        ? new Embedding(this.#schema.domains.length, 1, {
            initializer: { kind: 'constant', a: 1, b: 0 },
          })
        : undefined;
    });
  }

  /** @internal Names of the parameters that have a slot per domain. */
  get banks(): string[] {
    return [...this.collect()].filter(([, { isBank }]) => isBank).map(([name]) => name);
  }

  /** @internal Names of the parameters that are not trained: running averages. */
  get buffers(): string[] {
    return [...this.collect()]
      .filter(([, parameter]) => !parameter.spec().trainable)
      .map(([name]) => name);
  }

  /** @internal Names of the parameters that became banks by splitHeads(). */
  get split(): readonly string[] {
    return this.#split;
  }

  /**
   * @internal Makes the parameters that glob patterns name banks, unless they are: every slot starts as
   * a copy. By default these are the towers of a model that has banks (all banks, where none is called
   * so), and of others the last linear layer. Returns their names. Throws ConfigError.
   */
  splitHeads(patterns?: readonly string[]): readonly string[] {
    const parameters = this.collect();
    const heads = headsOf(parameters, this.compile(), patterns);
    const dense = heads.filter((name) => !parameters.get(name)?.isBank);
    if (dense.length > 0) {
      this.#rebuild(() => {
        for (const name of dense) parameters.get(name)?.split(this.#schema.domains.length);
        this.#split.push(...dense);
      });
    }
    return heads;
  }

  /** Changes what the model has; parameters keep their values, those that were split in every slot. */
  #rebuild(change: () => void): void {
    const kept = this.#compiled && this.readParameters();
    const values = [...(kept ?? [])].map(([name, { data }]) => [name, data.slice()] as const);
    this.#release();
    this.#overlays = undefined;
    change();
    const { space } = this.compile();
    const parameters = this.#parameters();
    for (const [name, data] of values) {
      if (!parameters.has(name)) continue;
      space.write(name, (target) => {
        for (let at = 0; at < target.length; at += data.length) target.set(data, at);
      });
    }
  }

  #parameters(): Map<string, Parameter> {
    const parameters = this.collect();
    if (this.#uncertainty) parameters.set('uncertainty', this.#uncertainty.weight);
    return parameters;
  }

  /** @internal What describe() says. Throws ConfigError where that is something else. */
  description(): z.output<typeof description> {
    return parse(description, this.describe(), 'model.describe()');
  }

  /** What a run folder stores to build the model again: a registered name and options. */
  describe(): { readonly name: string; readonly options: Readonly<Record<string, unknown>> } {
    return { name: this.constructor.name, options: {} };
  }

  /**
   * Live views of the shared parameters by name. As they may be written to, the model scores single rows more
   * slowly from then on, like any batch. Throws BusyError while the model is trained.
   */
  parameters(): Map<string, Tensor<'float32'>> {
    const { space } = this.compile();
    return this.#views((name) => space.data(name));
  }

  /** @internal The same for the library's own reading. */
  readParameters(): Map<string, Tensor<'float32'>> {
    const { space } = this.compile();
    return this.#views((name) => space.read(name));
  }

  #views(view: (name: string) => Float32Array): Map<string, Tensor<'float32'>> {
    const parameters = [...this.#parameters()];
    return new Map(parameters.map(([name, { shape }]) => [name, Tensor.from(view(name), shape)]));
  }

  /** @internal Names the random streams by their modules' paths. */
  protected nameStreams(): void {
    nameStreams(this, '');
  }

  /** @internal Traces the model. Throws TraceError, ShapeError or ConfigError where forward is at fault. */
  compile(): Compiled {
    if (this.#compiled) return this.#compiled;
    const opened = this.#trace();
    atOnce(this.#fill(opened.space));
    return this.#finish(opened);
  }

  /**
   * @internal Compiles the model; other work has its turn while files are read that its tables start from. Throws as
   * compile() does.
   */
  async open(): Promise<Compiled> {
    if (this.#compiled) return this.#compiled;
    const opened = this.#trace();
    this.#opening = true;
    try {
      await opened.space.started();
      await inTurns(this.#fill(opened.space));
    } finally {
      this.#opening = false;
    }
    return this.#finish(opened);
  }

  #trace(): Omit<Compiled, 'scoring'> {
    if (this.#disposed) throw new BusyError('the model was used after it was disposed');
    this.#requireOpen();
    const parameters = this.#parameters();
    for (const [name, parameter] of parameters) parameter.name = name;
    this.nameStreams();
    const graph = traced(
      this.#schema,
      (batch) => this.forward(batch),
      (loss, slot) => this.#weighted(loss, slot),
    );
    const specs = [...parameters.values()].map((parameter) => parameter.spec());
    requireMemory(specs);
    const space = this.#adopted ?? new (addon().Space)(specs, this.seed);
    this.#adopted = undefined;
    return { ...graph, space };
  }

  #requireOpen(): void {
    if (!this.#opening) return;
    throw new BusyError('the model is being made ready for a fit; expected to wait for it');
  }

  #finish(opened: Omit<Compiled, 'scoring'>): Compiled {
    const { graph, output, space } = opened;
    this.#compiled = { ...opened, scoring: new (addon().Program)(graph, space, output) };
    return this.#compiled;
  }

  /**
   * @internal Another model's memory becomes this one's, with the domains' own values; that one is disposed.
   * Of the tables in `rows`, row r becomes what row rows[r] was, or is new (-1); `optimizers` follow.
   * Throws BusyError while the other one is trained or predicts; it is on lease meanwhile.
   */
  async takeOver(
    other: Model,
    rows: ReadonlyMap<string, Int32Array>,
    optimizers: readonly NativeOptimizer[],
  ): Promise<void> {
    const { space, scoring } = other.compile();
    await space.moveRows([...rows], optimizers);
    this.#release();
    this.#adopted = space;
    this.#overlays = other.#overlays;
    this.#filled = true;
    scoring.dispose();
    other.#compiled = undefined;
    other.#disposed = true;
  }

  /** @internal What its parameters are, by name. */
  specs(): Map<string, NativeParameterSpec> {
    return new Map(
      [...this.#parameters()].map(([name, parameter]) => [name, { ...parameter.spec(), name }]),
    );
  }

  /** @internal Its parameters get their values from elsewhere: what would fill them is not asked. */
  skipFilling(): void {
    this.#filled = true;
  }

  *#fill(space: NativeSpace): Turns<void> {
    if (this.#filled) return;
    try {
      for (const [name, { options }] of this.#parameters()) {
        if (!options.fill) continue;
        const filling = options.fill(space.read(name));
        if (!(Symbol.iterator in Object(filling))) {
          throw new ConfigError(
            `parameter '${name}': fill() gave ${shown(filling)}; expected something to iterate, as a generator function gives`,
          );
        }
        yield* filling;
      }
      space.withdraw();
    } catch (error) {
      space.dispose();
      throw error;
    }
    this.#filled = true;
  }

  /** Its sigma is the slot's: so rows of several domains are trained in blocks, each by its own. */
  #weighted(loss: Tensor, slot: Tensor): Tensor {
    if (!this.#uncertainty) return loss;
    const sigma = ops.mean(this.#uncertainty.forward(slot));
    return ops.add(ops.div(loss, ops.square(sigma)), ops.log(sigma));
  }

  /** Frees the parameters; using the model then throws BusyError, as this does while it is trained. */
  dispose(): void {
    this.#release();
    this.#disposed = true;
  }

  #release(): void {
    this.#requireOpen();
    // First what refuses while the model is trained.
    this.#compiled?.space.dispose();
    this.#compiled?.scoring.dispose();
    this.#compiled = undefined;
    this.#adopted?.dispose();
    this.#adopted = undefined;
  }
}
brand('Model', Model);
