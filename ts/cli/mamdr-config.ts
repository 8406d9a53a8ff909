import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../errors.js';
import { parse } from '../options.js';

/** The keys of MAMDR's public configs that say something here; others are told as not read. */
const mamdrConfig = z.object({
  model: z.looseObject({
    name: z.string(),
    user_dim: z.int().gte(1).default(128),
    item_dim: z.int().gte(1).default(128),
    domain_dim: z.int().gte(1).default(128),
    hidden_dim: z.array(z.int().gte(1)).default([256, 128, 64]),
    tower_hidden_dim: z.array(z.int().gte(1)).optional(),
    gate_dnn_hidden_units: z.array(z.int().gte(1)).optional(),
    num_experts: z.int().gte(1).optional(),
    specific_expert_num: z.int().gte(1).optional(),
    shared_expert_num: z.int().gte(1).optional(),
    num_levels: z.int().gte(1).optional(),
    dropout: z.number().gte(0).lt(1).default(0.5),
  }),
  train: z.looseObject({
    epoch: z.int().gte(1).default(99999),
    patience: z.int().gte(1).default(3),
    learning_rate: z.number().gt(0).default(1e-3),
    meta_learning_rate: z.number().gt(0).optional(),
    merged_method: z.enum(['plus', 'times']).default('plus'),
    sample_num: z.int().gte(1).optional(),
    add_query_domain: z.boolean().default(true),
    domain_regulation_step: z.int().gte(0).default(0),
    meta_train_step: z.int().gte(0).default(0),
    meta_split_ratio: z.number().gt(0).lt(1).optional(),
    meta_parms: z.array(z.string()).default(['all']),
    optimizer: z.string().default('adam'),
  }),
  dataset: z.looseObject({
    dataset_path: z.string(),
    domain_split_path: z.string().default(''),
    batch_size: z.int().gte(1).default(1024),
    seed: z.int().gte(0).default(123),
  }),
});
type MamdrConfig = z.output<typeof mamdrConfig>;

/** Whether a config file is one of MAMDR's public code. */
export function isMamdrConfig(config: object): boolean {
  return 'dataset' in config && 'train' in config && 'model' in config;
}

/** The first of these that a model's name holds is its base; the order is the public code's. */
const bases: readonly (readonly [string, string])[] = [
  ['star', 'star'],
  ['mlp', 'mlp'],
  ['wdl', 'wdl'],
  ['nfm', 'nfm'],
  ['autoint', 'autoint'],
  ['ccpm', 'ccpm'],
  ['pnn', 'pnn'],
  ['deepfm', 'deepfm'],
  ['shared_bottom', 'shared-bottom'],
  ['mmoe', 'mmoe'],
  ['ple', 'ple'],
];

function modelOf({ model }: MamdrConfig): Record<string, unknown> {
  const base = bases.find(([part]) => model.name.includes(part))?.[1];
  if (!base) {
    const known = bases.map(([part]) => part).join(', ');
    throw new ConfigError(`model.name: '${model.name}'; expected one of ${known} in it`);
  }
  const { user_dim, item_dim, domain_dim } = model;
  if (user_dim !== item_dim || user_dim !== domain_dim) {
    throw new ConfigError(
      `model.user_dim, item_dim, domain_dim: ${user_dim}, ${item_dim}, ${domain_dim}; expected three equal sizes`,
    );
  }
  const optional = {
    tower: model.tower_hidden_dim,
    gate: model.gate_dnn_hidden_units,
    experts: model.num_experts,
    specificExperts: model.specific_expert_num,
    sharedExperts: model.shared_expert_num,
    levels: model.num_levels,
  };
  return {
    name: base,
    embeddingDim: user_dim,
    hidden: model.hidden_dim,
    dropout: model.dropout,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

/** Patterns of the parameters that meta steps touch: substrings of names, or the two shorthands. */
function patternsOf(parts: readonly string[]): readonly string[] {
  if (parts.includes('all_hidden')) {
    throw new ConfigError(
      'train.meta_parms: all_hidden; expected "all" or parts of parameter names here, such as "hidden"',
    );
  }
  return parts.map((part) => (part === 'all' ? 'all' : `*${part}*`));
}

function strategyOf({ model: { name }, train }: MamdrConfig): Record<string, unknown> {
  const has = (part: string): boolean => name.includes(part);
  const steps = train.meta_train_step || undefined;
  const meta = train.meta_learning_rate;
  const outer = { outerRate: meta ?? 0.1, ...(steps && { maxSteps: steps }) };
  const batch = has('batch');
  if (has('separate')) return { name: 'separate' };
  if (has('uncertainty_weight')) return { name: 'weighted-loss' };
  const helpers = train.sample_num ? { helpers: train.sample_num } : {};
  if (has('pcgrad')) return { name: 'pcgrad', ...helpers };
  if (!has('meta')) return { name: 'alternate' };
  if (has('domain_negotiation')) return { name: 'dn', ...outer };
  if (has('mamdr')) {
    return {
      name: 'mamdr',
      ...outer,
      ...helpers,
      includeTarget: train.add_query_domain,
      combine: train.merged_method,
      specific: patternsOf(train.meta_parms),
    };
  }
  if (has('reptile')) return { name: 'reptile', ...outer, batch };
  const support = train.meta_split_ratio ? { supportShare: train.meta_split_ratio } : {};
  const outerOptimizer = meta
    ? { outerOptimizer: { name: 'adam', learningRate: meta, epsilonForm: 'tf1' } }
    : {};
  return { name: has('mldg') ? 'mldg' : 'maml', ...outerOptimizer, ...support, batch };
}

/** Keys that MAMDR's configs hold and that change nothing here. */
function unread(config: Record<string, Record<string, unknown>>): string[] {
  return Object.entries(mamdrConfig.shape).flatMap(([section, schema]) =>
    Object.keys(config[section] ?? {})
      .filter((key) => !(key in schema.shape))
      .map((key) => `${section}.${key}`),
  );
}

/**
 * A config of MAMDR's public code as one of ours, with the keys that are not read. The name's grammar
 * is `base[_suffix...]`: model, framework, and whether finetuning follows. Throws ConfigError.
 */
export function fromMamdrConfig(config: Record<string, unknown>): {
  readonly config: Record<string, unknown>;
  readonly unread: readonly string[];
} {
  const parsed = parse(mamdrConfig, config, '');
  const { model, train, dataset } = parsed;
  if (train.optimizer !== 'adam') {
    throw new ConfigError(`train.optimizer: '${train.optimizer}'; expected adam`);
  }
  const tuned = model.name.includes('finetune');
  // MAMDR's finetuning has a rate of its own.
  const tuningRate = model.name.includes('mamdr') ? 1e-3 : train.learning_rate;
  return {
    config: {
      data: { source: join(dataset.dataset_path, dataset.domain_split_path) },
      model: modelOf(parsed),
      strategy: strategyOf(parsed),
      ...(tuned && { finetune: { learningRate: tuningRate } }),
      optimizer: { name: 'adam', learningRate: train.learning_rate, epsilonForm: 'tf1' },
      batchSize: dataset.batch_size,
      epochs: train.epoch,
      patience: train.patience,
      seed: dataset.seed,
    },
    unread: unread(config as Record<string, Record<string, unknown>>),
  };
}
