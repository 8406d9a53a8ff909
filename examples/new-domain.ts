// A domain for a trained model: MAMDR on four countries, then France from a warm start, of which only
// its own values are trained. Run it: npm run example new-domain
import { fit, load, models, onlineRetail, optim, strategies } from 'polydomain';

const epochs = Number(process.argv[2] ?? 5);
const known = ['United Kingdom', 'Germany', 'EIRE', 'Spain'];
const options = { embeddingDim: 16, hidden: [64, 32], dropout: 0.2, seed: 1 };

const data = await onlineRetail({ countries: known });
const before = await fit(models.mlp({ schema: data.schema, ...options }), data, {
  strategy: strategies.mamdr({ helpers: 2 }),
  optimizer: optim.adam({ learningRate: 2e-3 }),
  epochs,
  seed: 1,
});

// Customers and items are found again by their raw values; those of France are new rows.
const grown = await onlineRetail({ countries: [...known, 'France'] });
const after = await fit(models.mlp({ schema: grown.schema, ...options }), grown, {
  from: before, // or the folder of a run
  // MAMDR's rule, by which the known countries keep their own values.
  strategy: strategies.separate({ domains: ['France'], combine: 'plus' }),
  optimizer: optim.adam({ learningRate: 2e-3 }),
  epochs: 20,
  seed: 1,
});
console.log('test AUC of France', after.metrics.test.auc.byDomain.France);

const row = { customer: '17850', item: '85123A' };
const scores = [before, after].map((run) => run.forDomain('United Kingdom').predictSync(row));
console.log('score in the United Kingdom before and after', ...scores);

const [folder] = process.argv.slice(3);
if (folder) {
  await after.save(folder);
  const loaded = await load(folder);
  const again = [after, loaded].map((run) => run.forDomain('France').predictSync(row));
  console.log('score in France before and after loading', ...again);
}
