import { ConfigError } from '../errors.js';
import type { NativeOptimizerSpec } from '../native/addon.js';

/** An optimizer's kind and settings; its state belongs to the run that uses it. */
export type Optimizer = NativeOptimizerSpec;

const neutral: NativeOptimizerSpec = {
  kind: 'sgd',
  learningRate: 1e-3,
  momentum: 0,
  nesterov: false,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  epsilonForm: 'torch',
  weightDecay: 0,
  initialAccumulator: 0,
};

function checked(spec: NativeOptimizerSpec): Optimizer {
  const require = (key: keyof NativeOptimizerSpec, valid: boolean, expected: string): void => {
    if (valid) return;
    throw new ConfigError(`${spec.kind}: ${key} ${spec[key]}; expected ${expected}`);
  };
  require('learningRate', spec.learningRate > 0, 'a number above 0');
  require('momentum', spec.momentum >= 0 && spec.momentum < 1, 'a number in [0, 1)');
  require('nesterov', !spec.nesterov || spec.momentum > 0, 'a momentum with it');
  require('beta1', spec.beta1 >= 0 && spec.beta1 < 1, 'a number in [0, 1)');
  require('beta2', spec.beta2 >= 0 && spec.beta2 < 1, 'a number in [0, 1)');
  require('epsilon', spec.epsilon > 0, 'a number above 0');
  require('weightDecay', spec.weightDecay >= 0, 'a number of 0 at least');
  require('initialAccumulator', spec.initialAccumulator >= 0, 'a number of 0 at least');
  return spec;
}

/** Stochastic gradient descent in PyTorch's form. */
export function sgd(
  options: {
    readonly learningRate?: number;
    readonly momentum?: number;
    readonly nesterov?: boolean;
    readonly weightDecay?: number;
  } = {},
): Optimizer {
  return checked({ ...neutral, ...options, kind: 'sgd' });
}

/** Adagrad (Duchi et al. 2011). */
export function adagrad(
  options: {
    readonly learningRate?: number;
    readonly epsilon?: number;
    readonly initialAccumulator?: number;
    readonly weightDecay?: number;
  } = {},
): Optimizer {
  return checked({ ...neutral, epsilon: 1e-10, learningRate: 1e-2, ...options, kind: 'adagrad' });
}

export interface AdamOptions {
  readonly learningRate?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Where epsilon stands: beside the corrected root (torch) or the raw one (tf1). */
  readonly epsilonForm?: 'torch' | 'tf1';
  readonly weightDecay?: number;
}

/** Adam (Kingma and Ba 2015), lazy on tables: a row's moments change when the row is touched. */
export function adam(options: AdamOptions = {}): Optimizer {
  return checked({ ...neutral, ...options, kind: 'adam' });
}

/** AdamW (Loshchilov and Hutter 2019): weight decay apart from the gradient. */
export function adamw(options: AdamOptions = {}): Optimizer {
  return checked({ ...neutral, weightDecay: 1e-2, ...options, kind: 'adamw' });
}
