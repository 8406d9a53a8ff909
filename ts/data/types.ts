/** One categorical input: ids 0 (unknown) to size - 1. */
export interface Feature {
  readonly name: string;
  readonly kind: 'categorical';
  /** Number of ids, the unknown one included. */
  readonly size: number;
}

/** What a model needs to know of its data. */
export interface Schema {
  readonly label: string;
  readonly domain: string;
  readonly features: readonly Feature[];
  /** Names of the domains; a domain's id is its index. */
  readonly domains: readonly string[];
}

/** Rows of one part of a dataset, sorted by domain. */
export interface Split {
  readonly rows: number;
  /** Rows of domain d: from domainOffsets[d] to domainOffsets[d + 1]. */
  readonly domainOffsets: Int32Array;
  /** One array of ids per feature, in the order of the schema. */
  readonly ids: readonly Int32Array[];
  /** 0 or 1. */
  readonly labels: Float32Array;
}

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];
