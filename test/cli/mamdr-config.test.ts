import { describe, expect, it } from 'vitest';
import { runConfig } from '../../ts/cli/config.js';
import { fromMamdrConfig } from '../../ts/cli/mamdr-config.js';
import { ConfigError } from '../../ts/index.js';

/** The keys and values that the public code ships for Amazon-6. */
function shipped(name: string, train: object = {}) {
  return {
    model: {
      name,
      norm: 'none',
      dense: 'dense',
      auxiliary_net: false,
      auxiliary_dim: 128,
      user_dim: 128,
      item_dim: 128,
      domain_dim: 128,
      hidden_dim: [256, 128, 64],
      dropout: 0.5,
    },
    train: {
      load_pretrain_emb: false,
      emb_trainable: true,
      epoch: 99999,
      learning_rate: 0.001,
      meta_learning_rate: 0.1,
      merged_method: 'plus',
      sample_num: 3,
      add_query_domain: true,
      finetune_every_epoch: false,
      domain_regulation_step: 0,
      meta_train_step: 0,
      meta_finetune_step: 0,
      shuffle_sequence: true,
      meta_split: 'train-train',
      meta_split_ratio: 0.8,
      average_meta_grad: 'none',
      meta_parms: ['all'],
      patience: 3,
      optimizer: 'adam',
      loss: 'binary_crossentropy',
      val_every_step: 1,
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
    },
  };
}

const translated = (name: string, train: object = {}) =>
  runConfig.parse(fromMamdrConfig(shipped(name, train)).config);

describe("a config of MAMDR's public code", () => {
  it('names data, sizes, rates and seed', () => {
    expect(translated('mlp')).toMatchObject({
      data: { source: 'dataset/Amazon/split_by_category_6' },
      model: { name: 'mlp', embeddingDim: 128, hidden: [256, 128, 64], dropout: 0.5 },
      strategy: { name: 'alternate' },
      optimizer: { name: 'adam', learningRate: 1e-3, epsilonForm: 'tf1' },
      batchSize: 1024,
      epochs: 99999,
      patience: 3,
      seed: 123,
    });
  });

  it.each([
    ['mlp', { name: 'alternate' }, undefined],
    ['mlp_separate', { name: 'separate' }, undefined],
    ['mlp_uncertainty_weight', { name: 'weighted-loss' }, undefined],
    ['mlp_pcgrad', { name: 'pcgrad', helpers: 3 }, undefined],
    ['mlp_meta_mldg', { name: 'mldg', supportShare: 0.8 }, undefined],
    ['mlp_meta_maml_finetune', { name: 'maml', supportShare: 0.8 }, 1e-3],
    ['mlp_meta_reptile_batch', { name: 'reptile', outerRate: 0.1, batch: true }, undefined],
    ['mlp_meta_domain_negotiation_finetune', { name: 'dn', outerRate: 0.1 }, 1e-3],
    [
      'mlp_meta_mamdr_finetune',
      { name: 'mamdr', outerRate: 0.1, helpers: 3, includeTarget: true, combine: 'plus' },
      1e-3,
    ],
  ])('%s is a model, a framework and perhaps a stage', (name, strategy, rate) => {
    const config = translated(name);
    expect(config.strategy).toMatchObject(strategy);
    expect(config.finetune?.learningRate).toBe(rate);
  });

  it('tells which keys are not read', () => {
    const { unread } = fromMamdrConfig(shipped('mlp'));
    expect(unread).toContain('train.load_pretrain_emb');
    expect(unread).toContain('dataset.shuffle_buffer_size');
    expect(unread).not.toContain('train.sample_num');
  });

  it.each([
    ['transformer', {}, /model\.name: 'transformer'; expected one of star, mlp/],
    ['mlp', { optimizer: 'ftrl' }, /train\.optimizer: 'ftrl'; expected adam/],
    ['mlp_meta_mamdr', { sample_num: -1 }, /train\.sample_num: -1/],
  ])('%s with %o is refused', (name, train, message) => {
    expect(() => fromMamdrConfig(shipped(name, train))).toThrow(ConfigError);
    expect(() => fromMamdrConfig(shipped(name, train))).toThrow(message);
  });
});
