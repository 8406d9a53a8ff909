import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { mamdrDomainName } from '../data/mamdr.js';
import { ConfigError } from '../errors.js';
import { count, parse, positive, rate } from '../options.js';

const steps = z.int().gte(0);

/** The keys of MAMDR's public configs, with the values that most of its files have as defaults. */
const mamdrConfig = z.object({
  model: z.looseObject({
    name: z.string(),
    norm: z.enum(['none', 'bn', 'pn']).default('none'),
    dense: z.enum(['dense', 'star']).default('dense'),
    auxiliary_net: z.boolean().default(false),
    auxiliary_dim: count.default(128),
    user_dim: count.default(128),
    item_dim: count.default(128),
    domain_dim: count.default(128),
    hidden_dim: z.array(count).min(1).default([256, 128, 64]),
    tower_hidden_dim: z.array(count).min(1).optional(),
    gate_dnn_hidden_units: z.array(count).min(1).optional(),
    num_experts: count.optional(),
    specific_expert_num: count.optional(),
    shared_expert_num: count.optional(),
    num_levels: count.optional(),
    dropout: z.number().gte(0).lt(1).default(0.5),
  }),
  train: z.looseObject({
    load_pretrain_emb: z.boolean().default(false),
    emb_trainable: z.boolean().default(true),
    epoch: count.default(99999),
    patience: count.default(3),
    learning_rate: positive.default(1e-3),
    meta_learning_rate: positive.optional(),
    merged_method: z.enum(['plus', 'times']).default('plus'),
    sample_num: count.optional(),
    add_query_domain: z.boolean().default(true),
    finetune_every_epoch: z.boolean().default(false),
    shuffle_sequence: z.boolean().default(true),
    meta_sequence: z.union([z.literal('random'), z.array(z.int().gte(0)).min(1)]).default('random'),
    target_domain: z.int().gte(-1).default(-1),
    domain_regulation_step: steps.default(0),
    meta_train_step: steps.default(0),
    meta_finetune_step: steps.default(0),
    meta_split: z
      .enum(['train-train', 'meta-train/val', 'meta-train/val-no-exclusive'])
      .default('meta-train/val'),
    meta_split_ratio: rate.lt(1).default(0.8),
    average_meta_grad: z.enum(['none', 'mean', 'moving_mean', 'drop']).default('none'),
    meta_parms: z.array(z.string()).min(1).default(['all']),
    optimizer: z.string().default('adam'),
    loss: z.string().default('binary_crossentropy'),
    val_every_step: count.default(1),
  }),
  dataset: z.looseObject({
    dataset_path: z.string(),
    domain_split_path: z.string().default(''),
    batch_size: count.default(1024),
    seed: z.int().gte(0).default(123),
    fixed_train: z.boolean().default(false),
  }),
});
type MamdrConfig = z.output<typeof mamdrConfig>;
type Options = Record<string, unknown>;

/** Whether a config file is one of MAMDR's public code. */
export function isMamdrConfig(config: object): boolean {
  return 'dataset' in config && 'train' in config && 'model' in config;
}

function refuse(key: string, value: unknown, expected: string): never {
  throw new ConfigError(`${key}: ${JSON.stringify(value)}; expected ${expected}`);
}

type Model = MamdrConfig['model'];
const plain = (model: Model): Options => ({
  hidden: model.hidden_dim,
  dropout: model.dropout,
  // DeepCTR's own, which the public configs cannot change.
  l2: 1e-5,
});
const towers = (model: Model): Options => ({ ...plain(model), tower: model.tower_hidden_dim });
const gated = (model: Model): Options => ({ ...towers(model), gate: model.gate_dnn_hidden_units });

/** The first of these parts that a model's name holds is its base; the order is the public code's. */
const bases: readonly (readonly [
  part: string,
  name: string,
  options: (model: Model) => Options,
])[] = [
  [
    'star',
    'star',
    (model) => ({
      hidden: model.hidden_dim,
      norm: model.norm,
      dense: model.dense,
      auxiliary: model.auxiliary_net,
      ...(model.auxiliary_net && { auxiliaryDim: model.auxiliary_dim }),
    }),
  ],
  ['mlp', 'mlp', plain],
  ['wdl', 'wdl', plain],
  ['nfm', 'nfm', plain],
  ['autoint', 'autoint', plain],
  ['ccpm', 'ccpm', plain],
  ['pnn', 'pnn', plain],
  ['deepfm', 'deepfm', plain],
  ['shared_bottom', 'shared-bottom', towers],
  ['mmoe', 'mmoe', (model) => ({ ...gated(model), experts: model.num_experts })],
  [
    'ple',
    'ple',
    (model) => ({
      ...gated(model),
      specificExperts: model.specific_expert_num,
      sharedExperts: model.shared_expert_num,
      levels: model.num_levels,
    }),
  ],
];

/** Vectors by the numbers of users and items; without them emb_trainable says nothing. */
function pretrainedOf({ train }: MamdrConfig, source: string): Options {
  if (!train.load_pretrain_emb) return {};
  const table = (field: string, file: string): Options => {
    const values = join(source, 'processed_data', `${field}2id.json`);
    return {
      source: join(source, 'processed_data', file),
      // Without it the numbers are the raw values.
      ...(existsSync(values) && { values }),
      trainable: train.emb_trainable,
    };
  };
  const [uid, pid] = [table('uid', 'user_emb.json'), table('pid', 'item_emb.json')];
  return { pretrained: { uid, pid } };
}

function modelOf(config: MamdrConfig, source: string): Options {
  const { model } = config;
  const base = bases.find(([part]) => model.name.includes(part));
  if (!base) {
    const known = bases.map(([part]) => part).join(', ');
    throw new ConfigError(`model.name: '${model.name}'; expected one of ${known} in it`);
  }
  const { user_dim, item_dim, domain_dim } = model;
  const [, name, options] = base;
  const given = Object.entries(options(model)).filter(([, value]) => value !== undefined);
  const embeddingDim =
    user_dim === item_dim && user_dim === domain_dim
      ? user_dim
      : { uid: user_dim, pid: item_dim, domain: domain_dim };
  return {
    name,
    embeddingDim,
    ...Object.fromEntries(given),
    ...pretrainedOf(config, source),
  };
}

/** What STAR's variables are called there, and patterns of our names. */
const starNames: readonly (readonly [name: string, pattern: string])[] = [
  ['kernel_shared', '*.shared.weight'],
  ['bias_shared', '*.shared.bias'],
  ['kernel_specific', '*.own.weight'],
  ['bias_specific', '*.own.bias'],
  ['gamma_shared', 'norm.sharedWeight'],
  ['beta_shared', 'norm.sharedBias'],
  ['gamma_specific', 'norm.weight'],
  ['beta_specific', 'norm.bias'],
];

/** Patterns of the parameters that meta steps touch: parts of names, or one of two shorthands. */
function patternsOf({ model, train }: MamdrConfig): readonly string[] {
  const parts = train.meta_parms;
  if (parts[0] === 'all') return ['all'];
  if (parts[0] === 'all_hidden') return ['!*emb*'];
  const names = model.name.includes('star') ? starNames : [];
  return parts.flatMap((part) => {
    const named = names.filter(([name]) => name.includes(part));
    return named.length > 0 ? named.map(([, pattern]) => pattern) : [`*${part}*`];
  });
}

const framework = [
  ['separate', 'separate'],
  ['uncertainty_weight', 'weighted-loss'],
  ['pcgrad', 'pcgrad'],
] as const;
/** Behind `meta`; without any of them it is MAML. */
const metaFramework = [
  ['domain_negotiation', 'dn'],
  ['mamdr', 'mamdr'],
  ['reptile', 'reptile'],
  ['mldg', 'mldg'],
] as const;

function strategyName(name: string): string {
  // The public code wraps the model in turn: what stands for meta comes last, and trains.
  const find = (parts: readonly (readonly [string, string])[]): string | undefined =>
    parts.find(([part]) => name.includes(part))?.[1];
  if (name.includes('separate')) return 'separate';
  if (name.includes('meta')) return find(metaFramework) ?? 'maml';
  return find(framework) ?? 'alternate';
}

/** Options of the strategies with an outer gradient: MAML's, and MLDG's. */
function outerGradient(config: MamdrConfig): Options {
  const { train } = config;
  const { meta_split, meta_train_step, meta_learning_rate: learningRate } = train;
  const { average_meta_grad: average } = train;
  if (average === 'moving_mean' || average === 'drop') {
    refuse('train.average_meta_grad', average, 'none or mean');
  }
  if (meta_split === 'meta-train/val-no-exclusive') {
    refuse('train.meta_split', meta_split, 'train-train or meta-train/val');
  }
  return {
    supportShare: meta_split === 'train-train' ? 1 : train.meta_split_ratio,
    // The public code averages over capped passes alone.
    average: average === 'mean' && meta_train_step > 0,
    parameters: patternsOf(config),
    ...capped(meta_train_step),
    ...(learningRate && { outerOptimizer: { name: 'adam', learningRate, epsilonForm: 'tf1' } }),
  };
}

/** 0 stands for a whole pass. */
function capped(maxSteps: number): Options {
  return maxSteps > 0 ? { maxSteps } : {};
}

function strategyOf(config: MamdrConfig, name: string): Options {
  const { model, train } = config;
  const batch = model.name.includes('batch');
  const helpers = (): Options => (train.sample_num ? { helpers: train.sample_num } : {});
  const outerRate = (): Options => ({
    outerRate: train.meta_learning_rate ?? 0.1,
    parameters: patternsOf(config),
  });
  switch (name) {
    case 'pcgrad':
      if (train.average_meta_grad !== 'none') {
        refuse('train.average_meta_grad', train.average_meta_grad, 'none with pcgrad');
      }
      return { name, ...helpers(), ...capped(train.meta_train_step) };
    case 'dn':
      return { name, ...outerRate(), ...capped(train.meta_train_step) };
    case 'reptile':
      return { name, ...outerRate(), batch, ...capped(train.meta_train_step) };
    case 'maml':
    case 'mldg':
      return { name, ...outerGradient(config), batch };
    case 'mamdr': {
      if (train.finetune_every_epoch) {
        refuse('train.finetune_every_epoch', true, 'false (it overwrites the specific values)');
      }
      const { domain_regulation_step: targetSteps } = train;
      return {
        name,
        ...outerRate(),
        ...helpers(),
        batch,
        includeTarget: train.add_query_domain,
        combine: train.merged_method,
        specific: patternsOf(config),
        ...(targetSteps > 0 && { targetSteps }),
      };
    }
    default:
      return { name };
  }
}

/** How the epochs go: what the meta frameworks and PCGrad read beyond their own keys. */
function epochsOf({ train }: MamdrConfig, strategy: string, source: string): Options {
  if (['alternate', 'separate', 'weighted-loss'].includes(strategy)) return {};
  const nameOf = (domain: number): string => mamdrDomainName(source, domain);
  const ordered = (strategy === 'dn' || strategy === 'mamdr') && !train.shuffle_sequence;
  const sequence = ordered ? train.meta_sequence : 'random';
  return {
    validateEvery: train.val_every_step,
    validationPasses: train.meta_finetune_step,
    ...(train.target_domain >= 0 && { target: nameOf(train.target_domain) }),
    ...(ordered && { domainOrder: sequence === 'random' ? 'fixed' : sequence.map(nameOf) }),
  };
}

/** Another optimizer than Adam has the default rate of Keras there. */
function optimizerOf({ train }: MamdrConfig, strategy: string): Options {
  switch (train.optimizer) {
    case 'adam': {
      // PCGrad's one step per domain is the meta optimizer's.
      const meta = strategy === 'pcgrad' ? train.meta_learning_rate : undefined;
      return { name: 'adam', learningRate: meta ?? train.learning_rate, epsilonForm: 'tf1' };
    }
    case 'sgd':
      return { name: 'sgd', learningRate: 0.01 };
    case 'adagrad':
      return { name: 'adagrad', learningRate: 0.01, epsilon: 1e-7 };
    default:
      throw new ConfigError(
        `train.optimizer: '${train.optimizer}'; expected adam, or sgd or adagrad at Keras' default rate`,
      );
  }
}

/** A section that notes which of its keys are read. */
function noted<Section extends object>(section: Section, name: string, read: Set<string>): Section {
  return new Proxy(section, {
    get(target, key) {
      read.add(`${name}.${String(key)}`);
      return Reflect.get(target, key);
    },
  });
}

/**
 * A config of MAMDR's public code as one of ours, with the keys that its model and framework do not read.
 * The name's grammar is `base[_suffix...]`: model, framework, and whether finetuning follows. Throws
 * ConfigError for keys that would change something and are not supported.
 */
export function fromMamdrConfig(config: Record<string, unknown>): {
  readonly config: Record<string, unknown>;
  readonly unread: readonly string[];
} {
  const parsed = parse(mamdrConfig, config, '');
  const read = new Set<string>();
  const own: MamdrConfig = {
    model: noted(parsed.model, 'model', read),
    train: noted(parsed.train, 'train', read),
    dataset: noted(parsed.dataset, 'dataset', read),
  };
  const { model, train, dataset } = own;
  if (train.loss !== 'binary_crossentropy') {
    refuse('train.loss', train.loss, 'binary_crossentropy');
  }
  if (dataset.fixed_train) {
    refuse('dataset.fixed_train', true, 'false: training rows are always shuffled');
  }
  const strategy = strategyName(model.name);
  const source = join(dataset.dataset_path, dataset.domain_split_path);
  const finetune = () => ({
    // MAMDR's finetuning has a rate of its own.
    learningRate: strategy === 'mamdr' ? 1e-3 : train.learning_rate,
    epochs: train.epoch,
    patience: train.patience,
  });
  const translated = {
    data: { source },
    model: modelOf(own, source),
    strategy: strategyOf(own, strategy),
    ...(model.name.includes('finetune') && { finetune: finetune() }),
    optimizer: optimizerOf(own, strategy),
    ...epochsOf(own, strategy, source),
    batchSize: dataset.batch_size,
    epochs: train.epoch,
    patience: train.patience,
    seed: dataset.seed,
  };
  const unread = (['model', 'train', 'dataset'] as const).flatMap((section) =>
    Object.keys(config[section] as object)
      .map((key) => `${section}.${key}`)
      .filter((key) => !read.has(key)),
  );
  return { config: translated, unread };
}
