import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../native/load.js';
import { parse } from '../options.js';
import { Dataset } from './dataset.js';

const bundled = z.strictObject({
  seed: z.int().gte(0).default(1),
  countries: z.array(z.string()).min(1).optional(),
});

/**
 * The bundled data: which customer of a wholesaler bought which item, 17 countries as domains, a
 * random 60/20/20 split per country, and CTR-ratio negatives from all items. UCI Online Retail
 * (Chen 2015), CC BY 4.0: see data/online-retail/ATTRIBUTION.md. `countries` takes some of them alone.
 */
export async function onlineRetail(
  options: { readonly seed?: number; readonly countries?: readonly string[] } = {},
): Promise<Dataset> {
  const { seed, countries } = parse(bundled, options, 'onlineRetail');
  const names = countries?.map((name) => `'${name.replaceAll("'", "''")}'`);
  return Dataset.open({
    ...(names && { query: `SELECT * FROM '{source}' WHERE country IN (${names.join(', ')})` }),
    source: join(packageRoot(), 'data/online-retail/purchases.parquet'),
    domain: 'country',
    features: ['customer', 'item'],
    split: { random: [0.6, 0.2, 0.2] },
    negatives: {
      method: 'by-positive',
      user: 'customer',
      item: 'item',
      ratio: [0.2, 0.5],
      from: 'all',
    },
    seed,
  });
}
