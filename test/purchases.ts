import { Dataset, type FitOptions, models, optim, strategies } from '../ts/index.js';

/** Rows of these domains, in this order; users from `first` on, `users` of them. */
export function dataOf(domains: readonly string[], first = 0, users = 23): Dataset {
  const rows = domains.flatMap((domain) =>
    Array.from({ length: 120 }, (_, i) => {
      const user = first + ((i * 7) % users);
      const item = (i * 5) % 17;
      return { domain, user, item, bought: (user * 3 + item * domain.length) % 7 < 3 ? 1 : 0 };
    }),
  );
  const column = <Key extends keyof (typeof rows)[0]>(key: Key) => rows.map((row) => row[key]);
  return Dataset.from(
    {
      domain: column('domain'),
      user: column('user'),
      item: column('item'),
      bought: column('bought'),
    },
    {
      label: 'bought',
      domain: 'domain',
      features: ['user', 'item'],
      split: { random: [0.6, 0.2, 0.2] },
    },
  );
}

/** Models of such data, with and without banks. */
export const makers = {
  mlp: (data: Dataset, seed = 1) =>
    models.mlp({ schema: data.schema, embeddingDim: 4, hidden: [8], dropout: 0.2, seed }),
  mmoe: (data: Dataset, seed = 1) =>
    models.mmoe({
      schema: data.schema,
      embeddingDim: 4,
      hidden: [6],
      experts: 2,
      gate: [4],
      tower: [4],
      seed,
    }),
};

/** A short training that gives domains values of their own. */
export const trainingOptions = {
  strategy: strategies.mamdr({ helpers: 1 }),
  optimizer: optim.adam({ learningRate: 1e-2 }),
  batchSize: 32,
  epochs: 2,
} satisfies FitOptions;
