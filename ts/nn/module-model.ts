import type { Schema } from '../data/types.js';
import { ConfigError } from '../errors.js';
import { shown } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Batch } from './batch.js';
import { Model } from './model.js';
import { Module, type Parameter } from './module.js';
import { nameStreams } from './streams.js';

/** A module whose forward takes a batch and returns logits: all that `fit` needs. */
export type BatchModule = Module<[Batch], Tensor> & Partial<Pick<Model, 'describe'>>;

/** A module of a user's own as a model. */
class ModuleModel extends Model {
  readonly #module: BatchModule;

  constructor(module: BatchModule, schema: Schema, seed: number) {
    super(schema, seed);
    this.#module = module;
  }

  override collect(): Map<string, Parameter> {
    return this.#module.collect();
  }

  override describe() {
    return this.#module.describe?.() ?? { name: this.#module.constructor.name, options: {} };
  }

  protected override nameStreams(): void {
    nameStreams(this.#module, '');
  }

  forward(batch: Batch): Tensor {
    return this.#module.forward(batch);
  }
}

const modelOfModule = new WeakMap<BatchModule, Model>();

/** @internal The model of a module; one module has one set of parameters. Throws ConfigError for anything else. */
export function asModel(module: BatchModule, schema: Schema, seed = 0): Model {
  if (module instanceof Model) return module;
  if (!(module instanceof Module)) {
    throw new ConfigError(`model: ${shown(module)}; expected a model, or a module over batches`);
  }
  let model = modelOfModule.get(module);
  if (!model) {
    model = new ModuleModel(module, schema, seed);
    modelOfModule.set(module, model);
  }
  return model;
}
