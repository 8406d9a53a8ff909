import {
  type FitOptions,
  optim,
  type StagedStrategy,
  type Strategy,
  strategies,
} from '../../ts/index.js';

const fastOuter = { outerOptimizer: optim.adam({ learningRate: 1e-2 }) };
const tuning = { finetune: { epochs: 4, learningRate: 0.1 } };
/** Every strategy and variant, and what `fit` takes beside it. */
export const everyStrategy: Record<string, [() => Strategy | StagedStrategy, Partial<FitOptions>]> =
  {
    alternate: [() => strategies.alternate(), {}],
    'alternate with steps capped': [() => strategies.alternate({ maxSteps: 3 }), {}],
    'alternate, then finetune': [() => strategies.alternate(), tuning],
    separate: [strategies.separate, {}],
    joint: [() => strategies.joint(), {}],
    'joint, balanced': [() => strategies.joint({ balanced: true }), {}],
    'alternate with clipped gradients': [() => strategies.alternate(), { clipNorm: 0.1 }],
    'weighted loss': [() => strategies.weightedLoss(), {}],
    pcgrad: [() => strategies.pcgrad({ helpers: 2, maxSteps: 2 }), {}],
    maml: [() => strategies.maml(fastOuter), {}],
    'maml in a batch': [() => strategies.maml({ ...fastOuter, batch: true }), {}],
    reptile: [() => strategies.reptile({ outerRate: 0.5 }), {}],
    'reptile in a batch': [() => strategies.reptile({ outerRate: 0.3, batch: true }), {}],
    'reptile with an outer optimizer': [
      () => strategies.reptile({ outerOptimizer: optim.adam({ learningRate: 0.02 }) }),
      {},
    ],
    'maml averaged': [() => strategies.maml({ ...fastOuter, average: true, maxSteps: 2 }), {}],
    mldg: [() => strategies.mldg(fastOuter), {}],
    'mldg in a batch': [() => strategies.mldg({ ...fastOuter, batch: true }), {}],
    dn: [() => strategies.dn(), {}],
    'dn with an outer optimizer': [
      () => strategies.dn({ outerOptimizer: optim.adagrad({ learningRate: 0.05 }) }),
      {},
    ],
    'dn of the layers alone, for a target': [
      () => strategies.dn({ parameters: ['!embedding.*'], outerRate: 0.5 }),
      { target: 'd1', domainOrder: 'fixed', validateEvery: 2, validationPasses: 1, rollback: true },
    ],
    dr: [() => strategies.dr({ helpers: 2 }), {}],
    mamdr: [() => strategies.mamdr({ helpers: 2 }), {}],
    'mamdr in a batch': [() => strategies.mamdr({ helpers: 2, batch: true, targetSteps: 2 }), {}],
    'mamdr by factors in a batch, with an outer optimizer': [
      () => strategies.mamdr({ helpers: 1, batch: true, combine: 'times', ...fastOuter }),
      {},
    ],
    'mamdr by factors, then finetune': [
      () => strategies.mamdr({ helpers: 1, combine: 'times' }),
      tuning,
    ],
    'mamdr of the tables only, then finetune': [
      () => strategies.mamdr({ helpers: 1, specific: ['embedding.*'], specificStart: 'random' }),
      tuning,
    ],
    'd-train': [() => strategies.dTrain({ preTrainEpochs: 2 }), {}],
    'd-train as a plug-in': [
      () => strategies.dTrain({ preTrain: false, fineTuneOptimizer: optim.sgd() }),
      { clipNorm: 0.5 },
    ],
    'd-train without post-training, of larger heads, then finetune': [
      () =>
        strategies.dTrain({
          postTrain: false,
          headStart: 'random',
          heads: ['all', '!embedding.*'],
          maxSteps: 4,
        }),
      tuning,
    ],
  };
