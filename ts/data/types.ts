/** Ids 0 to size - 1, which a table has a row for each. */
interface Ids {
  /** Number of ids, the unknown one (0) included; of hashed ones that of the buckets. */
  readonly size: number;
  /** Ids are hashes of the raw values: there is no vocabulary, and no unknown value. */
  readonly hashed?: true;
  /** The table, for features that share one; the feature's own name where it is left out. */
  readonly table?: string;
}

/** One value out of many. */
export interface CategoricalFeature extends Ids {
  readonly name: string;
  readonly kind: 'categorical';
}

/** Any number of values; rows of the table are pooled. */
export interface MultiValuedFeature extends Ids {
  readonly name: string;
  readonly kind: 'multi-valued';
  readonly pooling: 'mean' | 'sum';
  /** Values of a row at most; of longer lists the first ones count. */
  readonly width: number;
  /** What stands between the values of a text. */
  readonly separator?: string;
}

/** A number, or none. */
export interface NumericFeature {
  readonly name: string;
  readonly kind: 'numeric';
  /** Of the training part's values; the model sees (value - mean) / deviation. */
  readonly mean: number;
  /** 1 where all values are equal. */
  readonly deviation: number;
}

/** One input of a model. */
export type Feature = CategoricalFeature | NumericFeature | MultiValuedFeature;
export type IdFeature = CategoricalFeature | MultiValuedFeature;

/** What a model needs to know of its data. */
export interface Schema {
  readonly label: string;
  readonly domain: string;
  readonly features: readonly Feature[];
  /** Names of the domains; a domain's id is its index. */
  readonly domains: readonly string[];
}

/** A list of ids per row: those of row r from offsets[r] to offsets[r + 1]. */
export interface IdLists {
  readonly offsets: Int32Array;
  readonly ids: Int32Array;
}

/** Rows of one part of a dataset, sorted by domain. */
export interface Split {
  readonly rows: number;
  /** Rows of domain d: from domainOffsets[d] to domainOffsets[d + 1]. */
  readonly domainOffsets: Int32Array;
  /** One array of ids per categorical feature, in the order of the schema. */
  readonly ids: readonly Int32Array[];
  /** One per numeric feature: of each row its standardised value, or 0 and a 1 for a missing one. */
  readonly numbers?: readonly Float32Array[] | undefined;
  /** One per multi-valued feature. */
  readonly lists?: readonly IdLists[] | undefined;
  /** 0 or 1. */
  readonly labels: Float32Array;
  /** Of the rows' losses, from 0; all of 1 where they are left out. */
  readonly weights?: Float32Array | undefined;
}

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];
