import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runConfig } from '../../ts/cli/config.js';
import { fromMamdrConfig } from '../../ts/cli/mamdr-config.js';
import { Random } from '../../ts/data/random.js';
import { ConfigError } from '../../ts/index.js';
import { readTensors } from '../../ts/io/safetensors.js';
import { Sandbox } from './sandbox.js';

interface Changes {
  readonly model?: object;
  readonly train?: object;
  readonly dataset?: object;
}

/** What every shipped file says. */
function common(name: string, { model, train, dataset }: Changes = {}) {
  return {
    model: {
      name,
      norm: 'none',
      dense: 'dense',
      auxiliary_net: false,
      user_dim: 128,
      item_dim: 128,
      domain_dim: 128,
      auxiliary_dim: 128,
      hidden_dim: [256, 128, 64],
      dropout: 0.5,
      ...model,
    },
    train: {
      load_pretrain_emb: false,
      emb_trainable: true,
      epoch: 99999,
      learning_rate: 0.001,
      result_save_path: 'result',
      checkpoint_path: 'checkpoint',
      loss: 'binary_crossentropy',
      optimizer: 'adam',
      patience: 3,
      histogram_freq: 0,
      shuffle_buff_size: 10000,
      ...train,
    },
    dataset: {
      name: 'Amazon',
      dataset_path: 'dataset/Amazon',
      domain_split_path: 'split_by_category_6',
      batch_size: 1024,
      shuffle_buffer_size: 10000,
      num_parallel_reads: 8,
      seed: 123,
      ...dataset,
    },
  };
}

/** With the keys of the files for DN and MAMDR. */
function meta(name: string, changes: Changes = {}) {
  return common(name, {
    ...changes,
    train: {
      meta_learning_rate: 0.1,
      domain_meta_learning_rate: 0.1,
      merged_method: 'plus',
      sample_num: 3,
      add_query_domain: true,
      finetune_every_epoch: false,
      shuffle_sequence: true,
      meta_sequence: 'random',
      target_domain: -1,
      domain_regulation_step: 0,
      meta_train_step: 0,
      meta_finetune_step: 0,
      meta_split: 'train-train',
      meta_split_ratio: 0.8,
      average_meta_grad: 'none',
      meta_parms: ['all'],
      val_every_step: 1,
      ...changes.train,
    },
  });
}

const outer = (rate: number, share: number) => ({
  train: { meta_learning_rate: rate, meta_split: 'meta-train/val', meta_split_ratio: share },
});
const heads = { hidden_dim: [256, 128], tower_hidden_dim: [64] };
const slow = { learning_rate: 1e-4 };
const gate = { gate_dnn_hidden_units: [64] };
const experts = { specific_expert_num: 5, shared_expert_num: 2, num_levels: 1 };
const starLayers = { norm: 'pn', dense: 'star', auxiliary_dim: 64, dropout: undefined };

/** A config of every kind that is shipped, and of CCPM. */
const shipped = {
  mlp: common('mlp'),
  mlp_uncertainty_weight: common('mlp_uncertainty_weight'),
  mlp_pcgrad: meta('mlp_pcgrad', { train: { meta_learning_rate: 1e-3 } }),
  mlp_meta_mldg: meta('mlp_meta_mldg', outer(1e-4, 0.8)),
  mlp_meta_maml_finetune: meta('mlp_meta_maml_finetune', outer(1e-3, 0.2)),
  mlp_meta_reptile_finetune: meta('mlp_meta_reptile_finetune'),
  mlp_meta_domain_negotiation_finetune: meta('mlp_meta_domain_negotiation_finetune'),
  mlp_meta_mamdr_finetune: meta('mlp_meta_mamdr_finetune'),
  mmoe: common('mmoe', { model: { ...heads, ...gate, num_experts: 5 }, train: slow }),
  ple: common('ple', { model: { ...heads, ...gate, ...experts }, train: slow }),
  shared_bottom: common('shared_bottom', { model: heads }),
  star: common('star', { model: starLayers }),
  ccpm: common('ccpm'),
};
/** The shipped files for STAR have these parts, which its meta frameworks read. */
const metaStar = meta('star_meta_mamdr', {
  model: starLayers,
  train: { meta_parms: ['emb', 'kernel_shared', 'bias_shared'] },
});

const dn = (train: object) => meta('mlp_meta_domain_negotiation', { train });
const mamdr = (train: object) => meta('mlp_meta_mamdr', { train });

const parsed = (config: Record<string, unknown>) => runConfig.parse(fromMamdrConfig(config).config);

describe("a config of MAMDR's public code", () => {
  it('names data, sizes, rates and seed', () => {
    expect(parsed(shipped.mlp)).toMatchObject({
      data: { source: 'dataset/Amazon/split_by_category_6' },
      model: { name: 'mlp', embeddingDim: 128, hidden: [256, 128, 64], dropout: 0.5, l2: 1e-5 },
      strategy: { name: 'alternate' },
      optimizer: { name: 'adam', learningRate: 1e-3, epsilonForm: 'tf1' },
      batchSize: 1024,
      epochs: 99999,
      patience: 3,
      seed: 123,
    });
    expect(parsed(shipped.mmoe)).toMatchObject({
      model: { name: 'mmoe', hidden: [256, 128], experts: 5, gate: [64], tower: [64] },
      optimizer: { learningRate: 1e-4 },
    });
    expect(parsed(shipped.ple)).toMatchObject({
      model: { name: 'ple', specificExperts: 5, sharedExperts: 2, levels: 1, tower: [64] },
    });
  });

  it.each([
    [shipped.mlp_uncertainty_weight, { name: 'weighted-loss' }, undefined],
    [shipped.mlp_pcgrad, { name: 'pcgrad', helpers: 3 }, undefined],
    [shipped.mlp_meta_mldg, { name: 'mldg', supportShare: 0.8, batch: false }, undefined],
    [shipped.mlp_meta_maml_finetune, { name: 'maml', supportShare: 0.2 }, 1e-3],
    [shipped.mlp_meta_reptile_finetune, { name: 'reptile', outerRate: 0.1 }, 1e-3],
    [shipped.mlp_meta_domain_negotiation_finetune, { name: 'dn', outerRate: 0.1 }, 1e-3],
    [
      shipped.mlp_meta_mamdr_finetune,
      { name: 'mamdr', outerRate: 0.1, helpers: 3, includeTarget: true, combine: 'plus' },
      1e-3,
    ],
    [common('mlp_separate'), { name: 'separate' }, undefined],
    [meta('mlp_meta'), { name: 'maml', supportShare: 1 }, undefined],
    [meta('batch_meta_mamdr_mlp'), { name: 'mamdr', batch: true }, undefined],
    [meta('mlp_meta_reptile_batch'), { name: 'reptile', batch: true }, undefined],
    // Without meta the names of its frameworks say nothing.
    [meta('mlp_mamdr'), { name: 'alternate' }, undefined],
    [meta('mlp_meta_mamdr_domain_negotiation'), { name: 'dn' }, undefined],
  ])('%o is a model, a framework and perhaps a stage', (config, expected, rate) => {
    const { strategy: made, finetune } = parsed(config);
    expect(made).toMatchObject(expected);
    expect(finetune?.learningRate).toBe(rate);
    if (rate) expect(finetune).toMatchObject({ epochs: 99999, patience: 3 });
  });

  it.each([
    ['star_mmoe_mlp', 'star'],
    ['wdl_mlp', 'mlp'],
    ['pnn_wdl', 'wdl'],
    ['deepfm', 'deepfm'],
    ['shared_bottom_ccpm', 'ccpm'],
    ['ple_mmoe', 'mmoe'],
  ])('%s is a %s: the first that is found wins', (name, expected) => {
    expect(fromMamdrConfig(common(name)).config.model).toMatchObject({ name: expected });
  });

  it("has STAR's norm, layers and auxiliary net", () => {
    const model = { norm: 'pn', dense: 'star', auxiliary_net: true, auxiliary_dim: 64 };
    const { config } = fromMamdrConfig(common('star', { model }));
    expect(config.model).toEqual({
      name: 'star',
      embeddingDim: 128,
      hidden: [256, 128, 64],
      norm: 'pn',
      dense: 'star',
      auxiliary: true,
      auxiliaryDim: 64,
    });
  });

  it("names STAR's parts as they are called here", () => {
    const patterns = ['*emb*', '*.shared.weight', '*.shared.bias'];
    expect(parsed(metaStar).strategy).toMatchObject({ parameters: patterns, specific: patterns });
    const gamma = meta('star_meta_domain_negotiation', { train: { meta_parms: ['gamma'] } });
    expect(parsed(gamma).strategy).toMatchObject({
      parameters: ['norm.sharedWeight', 'norm.weight'],
    });
  });

  it.each([
    [dn({ meta_train_step: 7 }), { strategy: { maxSteps: 7 } }],
    [mamdr({ domain_regulation_step: 4 }), { strategy: { targetSteps: 4 } }],
    [mamdr({ merged_method: 'times' }), { strategy: { combine: 'times' } }],
    [mamdr({ add_query_domain: false }), { strategy: { includeTarget: false } }],
    [dn({ meta_parms: ['all_hidden'] }), { strategy: { parameters: ['!*emb*'] } }],
    [
      mamdr({ meta_parms: ['emb', 'hidden'] }),
      { strategy: { parameters: ['*emb*', '*hidden*'], specific: ['*emb*', '*hidden*'] } },
    ],
    [dn({ val_every_step: 3 }), { validateEvery: 3 }],
    [dn({ meta_finetune_step: 2 }), { validationPasses: 2 }],
    [dn({ target_domain: 2 }), { target: 'domain_2' }],
    [dn({ shuffle_sequence: false }), { domainOrder: 'fixed' }],
    [
      mamdr({ shuffle_sequence: false, meta_sequence: [2, 0, 1] }),
      { domainOrder: ['domain_2', 'domain_0', 'domain_1'] },
    ],
    [dn({ meta_sequence: [2, 0, 1] }), { domainOrder: 'shuffled' }],
    [
      meta('mlp_meta_mldg', { train: { average_meta_grad: 'mean', meta_train_step: 2 } }),
      { strategy: { average: true, maxSteps: 2 } },
    ],
    [
      meta('mlp_meta_mldg', { train: { average_meta_grad: 'mean' } }),
      { strategy: { average: false } },
    ],
    [
      meta('mlp_pcgrad', { train: { meta_learning_rate: 5e-3 } }),
      { optimizer: { learningRate: 5e-3 } },
    ],
    [
      common('mlp', { train: { optimizer: 'sgd' } }),
      { optimizer: { name: 'sgd', learningRate: 0.01 } },
    ],
  ])('%o', (config, expected) => {
    expect(parsed(config)).toMatchObject(expected);
  });

  it('takes unequal sizes of user, item and domain', () => {
    const { config } = fromMamdrConfig(common('mlp', { model: { item_dim: 64 } }));
    expect(config).toMatchObject({
      model: { embeddingDim: { uid: 128, pid: 64, domain: 128 } },
    });
  });

  it.each([true, false])('reads tables for users and items, trainable: %s', (trainable) => {
    const train = { load_pretrain_emb: true, emb_trainable: trainable };
    const { config, unread } = fromMamdrConfig(common('mlp', { train }));
    const folder = 'dataset/Amazon/split_by_category_6/processed_data';
    expect(config.model).toMatchObject({
      pretrained: {
        uid: { source: `${folder}/user_emb.json`, trainable },
        pid: { source: `${folder}/item_emb.json`, trainable },
      },
    });
    expect(unread).not.toContain('train.emb_trainable');
  });

  it('ignores emb_trainable without tables to read', () => {
    const { config, unread } = fromMamdrConfig(common('mlp', { train: { emb_trainable: false } }));
    expect(config.model).not.toHaveProperty('pretrained');
    expect(unread).toContain('train.emb_trainable');
  });

  it('tells which keys are not read', () => {
    const { unread } = fromMamdrConfig(shipped.mlp);
    expect(unread).toContain('dataset.shuffle_buffer_size');
    expect(unread).toContain('train.shuffle_buff_size');
    expect(unread).toContain('model.norm');
    expect(unread).not.toContain('train.load_pretrain_emb');
    const more = fromMamdrConfig(meta('mlp_meta_mamdr', { train: { meta_train_step: 5 } })).unread;
    expect(more).toContain('train.domain_meta_learning_rate');
    expect(more).toContain('train.meta_train_step');
    expect(more).not.toContain('train.sample_num');
    expect(fromMamdrConfig(meta('mlp')).unread).toContain('train.sample_num');
    expect(fromMamdrConfig(common('mlp', { train: { lerning_rate: 1 } })).unread).toContain(
      'train.lerning_rate',
    );
  });

  it.each([
    [common('transformer'), /model\.name: 'transformer'; expected one of star, mlp/],
    [common('mlp', { train: { optimizer: 'ftrl' } }), /train\.optimizer: 'ftrl'; expected adam/],
    [common('mlp', { train: { loss: 'mse' } }), /train\.loss: "mse"; expected binary_cross/],
    [mamdr({ sample_num: -1 }), /train\.sample_num: -1; expected/],
    [mamdr({ finetune_every_epoch: true }), /train\.finetune_every_epoch: true; expected false/],
    [
      meta('mlp_meta_maml', { train: { average_meta_grad: 'drop' } }),
      /train\.average_meta_grad: "drop"; expected none or mean/,
    ],
    [
      meta('mlp_meta_maml', { train: { meta_split: 'meta-train/val-no-exclusive' } }),
      /train\.meta_split: "meta-train\/val-no-exclusive"; expected train-train or/,
    ],
    [
      meta('mlp_pcgrad', { train: { average_meta_grad: 'mean' } }),
      /train\.average_meta_grad: "mean"; expected none/,
    ],
    [common('mlp', { dataset: { fixed_train: true } }), /dataset\.fixed_train: true; expected/],
    [common('star', { model: { norm: 'ln' } }), /model\.norm: "ln"; .*expected one of/],
    [common('mlp', { model: { dropout: 1.5 } }), /model\.dropout: 1\.5; expected/],
    [dn({ meta_parms: [] }), /train\.meta_parms: \[\]; expected/],
    [dn({ target_domain: -2 }), /train\.target_domain: -2; expected/],
  ])('%o is refused', (config, message) => {
    expect(() => fromMamdrConfig(config)).toThrow(ConfigError);
    expect(() => fromMamdrConfig(config)).toThrow(message);
  });
});

/** The pre-trained vector of a user or an item. */
const vectorOf = (field: 'uid' | 'pid', id: number): number[] =>
  [0.5, -0.25, 1e-3, 2].map((value) => value * (field === 'uid' ? 1 + id : -1 - id));

/** Four small domains in the layout of the public preparation. */
function writeLayout(sandbox: Sandbox): void {
  const random = new Random(3);
  const write = (name: string, content: string): void => {
    mkdirSync(dirname(sandbox.path(name)), { recursive: true });
    writeFileSync(sandbox.path(name), content);
  };
  for (let domain = 0; domain < 4; domain++) {
    const folder = `data/split/domain_${domain}`;
    for (const [part, rows] of [
      ['train', 40],
      ['val', 12],
      ['test', 16],
    ] as const) {
      const lines = Array.from({ length: rows }, () => {
        const [uid, pid] = [random.below(12), random.below(9)];
        return `${uid},${pid},${domain},${(uid * 3 + pid * (domain + 1)) % 7 < 3 ? 1 : 0}`;
      });
      write(`${folder}/${part}.csv`, `uid,pid,domain,label\n${lines.join('\n')}\n`);
    }
    const property = { domain_name: `Shop ${domain}`, ctr_ratio: 0.25 + domain / 100 };
    write(`${folder}/domain_property.json`, JSON.stringify(property));
  }
  for (const [field, size] of [
    ['uid', 12],
    ['pid', 9],
  ] as const) {
    const raw = Object.fromEntries(Array.from({ length: size }, (_, id) => [`raw ${id}`, id]));
    const vectors = Array.from({ length: size }, (_, id) => [id, vectorOf(field, id).join(' ')]);
    const name = { uid: 'user', pid: 'item' }[field];
    const vectorsPath = `data/split/processed_data/${name}_emb.json`;
    write(vectorsPath, JSON.stringify(Object.fromEntries(vectors)));
    const content = JSON.stringify({ id: size, raw_id2id: raw });
    write(`data/split/processed_data/${field}2id.json`, content);
  }
}

/** A shipped config with small sizes. */
function small(config: ReturnType<typeof common>) {
  const layers = Object.fromEntries(
    Object.keys(config.model)
      .filter((key) => /hidden/.test(key))
      .map((key) => [key, key === 'hidden_dim' ? [8, 4] : [4]]),
  );
  return {
    model: { ...config.model, ...layers, user_dim: 4, item_dim: 4, domain_dim: 4 },
    train: { ...config.train, epoch: 2 },
    dataset: {
      ...config.dataset,
      dataset_path: 'data',
      domain_split_path: 'split',
      batch_size: 16,
    },
  };
}

describe('the command line trains a config of every kind that is shipped', () => {
  const sandbox = new Sandbox();
  beforeAll(() => writeLayout(sandbox));
  afterAll(() => sandbox.remove());

  it.concurrent.each(Object.entries({ ...shipped, star_meta_mamdr: metaStar }))(
    '%s',
    async (name, config) => {
      sandbox.write(`${name}.json`, JSON.stringify(small(config)));
      const { code, stderr } = await sandbox.run(['train', `${name}.json`, '-o', `run-${name}`]);
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/not read from '.*train\.shuffle_buff_size/);
      const result = sandbox.json<Record<string, number | Record<string, number>>>(
        `run-${name}`,
        'result.json',
      );
      expect(Object.keys(result)).toEqual(['avg_loss', 'avg_auc', 'domain_loss', 'domain_auc']);
      const aucs = Object.values(result.domain_auc as Record<string, number>);
      expect(Object.keys(result.domain_auc as object)).toEqual(['0', '1', '2', '3']);
      expect(result.avg_auc).toBeCloseTo(aucs.reduce((sum, auc) => sum + auc) / 4, 12);
      const metrics = sandbox.json<{ stages: unknown[] }>(`run-${name}`, 'metrics.json');
      expect(metrics.stages).toHaveLength(name.endsWith('finetune') ? 1 : 0);
      expect(sandbox.json(`run-${name}`, 'dataset_info.json')).toEqual({
        n_user: 12,
        n_item: 9,
        ...Object.fromEntries(
          [0.25, 0.26, 0.27, 0.28].map((ctr_ratio, domain) => [
            domain,
            { n_train: 40, n_val: 12, n_test: 16, ctr_ratio },
          ]),
        ),
        total_train: 160,
        total_val: 48,
        total_test: 64,
      });
    },
    60_000,
  );

  it('with a target, its own order and sparse validation', async () => {
    const train = {
      target_domain: 1,
      shuffle_sequence: false,
      meta_sequence: [3, 0, 2],
      meta_finetune_step: 1,
      val_every_step: 2,
      meta_parms: ['all_hidden'],
    };
    const config = small(meta('mlp_meta_domain_negotiation', { train }));
    sandbox.write('target.json', JSON.stringify(config));
    await sandbox.done(['train', 'target.json', '-o', 'run-target']);
    expect(sandbox.json('run-target', 'config.json')).toMatchObject({
      target: 'Shop 1',
      domainOrder: ['Shop 3', 'Shop 0', 'Shop 2'],
      validateEvery: 2,
      validationPasses: 1,
    });
  }, 60_000);

  /** The rows of a run's table, without the unknown id's. */
  const tableOf = async (run: string, field: 'uid' | 'pid') => {
    const tensors = await readTensors(sandbox.path(`${run}/model.safetensors`));
    const values = [...(tensors.get(`embedding.${field}.weight`) as Float32Array)];
    return Array.from({ length: values.length / 4 - 1 }, (_, i) =>
      values.slice(4 * i + 4, 4 * i + 8),
    );
  };
  const given = (field: 'uid' | 'pid', size: number) =>
    Array.from({ length: size }, (_, id) => vectorOf(field, id).map(Math.fround));

  it.each(['mlp', 'mlp_meta_mamdr_finetune', 'star'] as const)(
    'with pre-trained tables that stay as they are: %s',
    async (name) => {
      const config = small(shipped[name]);
      const train = { ...config.train, load_pretrain_emb: true, emb_trainable: false };
      sandbox.write('frozen.json', JSON.stringify({ ...config, train }));
      await sandbox.done(['train', 'frozen.json', '-o', `run-frozen-${name}`]);
      expect(await tableOf(`run-frozen-${name}`, 'uid')).toEqual(given('uid', 12));
      expect(await tableOf(`run-frozen-${name}`, 'pid')).toEqual(given('pid', 9));
    },
    60_000,
  );

  it('with pre-trained tables that are trained', async () => {
    const config = small(shipped.mlp);
    const train = { ...config.train, load_pretrain_emb: true };
    sandbox.write('trained.json', JSON.stringify({ ...config, train }));
    await sandbox.done(['train', 'trained.json', '-o', 'run-trained']);
    const distances = (await tableOf('run-trained', 'uid')).flatMap((row, id) =>
      row.map((value, i) => Math.abs(value - (vectorOf('uid', id)[i] as number))),
    );
    // Adam's steps of 1e-3: near the start, and no longer there.
    expect(Math.max(...distances)).toBeLessThan(0.05);
    expect(Math.max(...distances)).toBeGreaterThan(1e-4);
  }, 60_000);

  it('unless its vectors have another size', async () => {
    const config = small(shipped.mlp);
    const train = { ...config.train, load_pretrain_emb: true };
    const model = { ...config.model, item_dim: 3 };
    sandbox.write('vectors.json', JSON.stringify({ ...config, model, train }));
    const { code, stderr } = await sandbox.run(['train', 'vectors.json', '-o', 'run-vectors']);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /pretrained\.pid: .*item_emb\.json', vector '0' has 4 values; expected 3/,
    );
    expect(sandbox.exists('run-vectors')).toBe(false);
  }, 60_000);

  it('unless it asks for more helpers than there are', async () => {
    const config = small(meta('mlp_meta_mamdr', { train: { sample_num: 4 } }));
    sandbox.write('helpers.json', JSON.stringify(config));
    const { code, stderr } = await sandbox.run(['train', 'helpers.json', '-o', 'run-helpers']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/helpers: 4; expected 3 at most with 4 domains/);
    expect(sandbox.exists('run-helpers')).toBe(false);
  }, 60_000);
});
