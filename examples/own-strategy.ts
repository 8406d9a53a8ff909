// A strategy of one's own: Reptile (Nichol et al. 2018), in which the shared parameters follow
// each domain's passes by a small step. Run it: npm run example own-strategy
import { fit, models, onlineRetail, optim, type Strategy } from 'polydomain';

function reptile(rate: number, steps: number): Strategy {
  const start = 1;
  return {
    name: 'reptile',
    options: { rate, steps },
    *epoch({ domains, shuffle }) {
      for (const domain of shuffle(domains)) {
        yield { kind: 'mark', target: start };
        for (let step = 0; step < steps; step++) yield { kind: 'run', domain };
        yield { kind: 'lerp', target: start, rate };
        yield { kind: 'release', target: start };
      }
    },
  };
}

const data = await onlineRetail();
const model = models.mlp({ schema: data.schema, embeddingDim: 16, hidden: [64, 32], seed: 1 });
const run = await fit(model, data, {
  strategy: reptile(0.5, 2),
  optimizer: optim.adam({ learningRate: 2e-3 }),
  epochs: Number(process.argv[2] ?? 5),
  seed: 1,
});
console.log('mean test AUC', run.metrics.test.auc.mean);
