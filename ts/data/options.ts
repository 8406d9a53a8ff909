import { z } from 'zod';
import { count, positive } from '../options.js';

const share = z.number().gte(0).lt(1);

/** How rows are told apart into training, validation and test. */
const split = z.union(
  [
    z
      .strictObject({ column: z.string() })
      .describe('A column of train, validation (or val) and test'),
    z
      .strictObject({ random: z.tuple([z.number().gt(0).lt(1), share, share]) })
      .describe('Shares of each domain, which add up to 1'),
    z
      .strictObject({
        time: z.string(),
        at: z.tuple([z.union([z.string(), z.number()]), z.union([z.string(), z.number()])]),
      })
      .describe('A time column and the two moments at which validation and test begin'),
  ],
  {
    error:
      'expected { column }, { random: [train, validation, test] } or { time, at: [2 moments] }',
  },
);

/** Negatives for data that holds positives only. */
const negatives = z.strictObject({
  method: z
    .enum(['by-positive', 'per-user'])
    .describe("by-positive: the user of a random positive; per-user: MAMDR's, without replacement"),
  user: z.string(),
  item: z.string(),
  ratio: z
    .union([positive, z.tuple([positive, positive])], {
      error:
        'expected positives per negative: a number above 0, or the range each domain draws from',
    })
    .describe('Positives per negative: a number, or a range from which each domain draws its own'),
  from: z
    .enum(['domain', 'all'])
    .default('domain')
    .describe('Whose items negatives are drawn from'),
  itemFeatures: z
    .array(z.string())
    .default([])
    .describe(
      "Other columns that belong to the item; the rest of a negative is as in the user's positive",
    ),
  exclude: z
    .string()
    .optional()
    .describe("SQL for pairs (the user's and the item's column) that are never negatives"),
});

const name = z.string();
const buckets = count
  .optional()
  .describe('Ids are hashes of the values into so many buckets, and no vocabulary is kept');
const table = z
  .string()
  .optional()
  .describe('The table of embeddings, which all features that name it share; its own by default');

const categorical = z.strictObject({
  name,
  kind: z.literal('categorical').default('categorical'),
  buckets,
  table,
});

/** A column that a model reads; a name alone is a categorical one. */
const feature = z.union(
  [
    z
      .string()
      .transform((own): z.output<typeof categorical> => ({ name: own, kind: 'categorical' })),
    categorical,
    z
      .strictObject({ name, kind: z.literal('numeric') })
      .describe("Standardised by the training part's mean and deviation; may be missing"),
    z
      .strictObject({
        name,
        kind: z.literal('multi-valued'),
        separator: z
          .string()
          .min(1)
          .optional()
          .describe('What stands between the values of a text; lists and JSON arrays need none'),
        pooling: z
          .enum(['mean', 'sum'])
          .default('mean')
          .describe("What becomes of a row's embeddings"),
        maxValues: count
          .optional()
          .describe("Values that count, the first ones; those of training's longest by default"),
        buckets,
        table,
      })
      .describe('Any number of categories per row'),
  ],
  { error: 'expected a column, or { name, kind: categorical, numeric or multi-valued, ... }' },
);

/** What the columns of a table are. */
export const roles = z.strictObject({
  domain: z.string(),
  label: z.string().optional().describe('Column of 0 and 1; left out with negatives'),
  features: z
    .array(feature)
    .min(1)
    .refine(
      (features) => new Set(features.map((one) => one.name)).size === features.length,
      'expected each name once',
    )
    .describe('Columns that the model reads'),
  weight: z.string().optional().describe('Column of weights of the rows, from 0'),
  split,
  negatives: negatives.optional(),
  minRows: count
    .default(1)
    .describe('Keeps domains of at least this many rows (positives, with negatives)'),
  seed: z.int().gte(0).default(0),
});

const dataBudget = z
  .int()
  .gte(0)
  .optional()
  .describe(
    'Bytes of rows that stay in memory; a larger dataset is read from disk window by window, and shuffled by blocks. All are read into memory by default',
  );

export const folderOptions = z.strictObject({
  source: z.string().describe("A prepared folder, or one in MAMDR's processed layout"),
  dataBudget,
});

export const sourceOptions = roles.extend({
  source: z
    .string()
    .describe('A CSV, Parquet or JSON Lines file; with query, a file or folder it reads'),
  query: z.string().optional().describe('SQL that makes the rows; {source} stands for the source'),
});

export type SplitRule = z.input<typeof split>;
export type NegativeRule = z.input<typeof negatives>;
export type Roles = z.input<typeof roles>;
export type FolderOptions = z.input<typeof folderOptions>;
export type DatasetOptions = z.input<typeof sourceOptions>;
export type FeatureOptions = z.input<typeof feature>;
export type ResolvedFeature = z.output<typeof feature>;
export type ResolvedRoles = z.output<typeof roles>;
export type ResolvedNegatives = z.output<typeof negatives>;
