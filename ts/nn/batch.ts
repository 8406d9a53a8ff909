import type { Tensor } from '../tensor/tensor.js';

/** One batch of a click-through model. */
export interface Batch {
  /**
   * By name: int32 ids [rows] of a categorical feature; of a numeric one its standardised value and a
   * missing flag, float32 [rows, 2]; int32 ids [rows, width] of a multi-valued one, filled up with -1.
   */
  readonly features: Readonly<Record<string, Tensor>>;
  /** The domain's index [rows]. */
  readonly domain: Tensor;
  /** The slot [1] of banks for all rows: the index of their domain, unless domains share one. */
  readonly slot: Tensor;
}
