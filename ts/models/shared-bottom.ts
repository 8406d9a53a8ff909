import { z } from 'zod';
import type { Batch } from '../nn/batch.js';
import type { ModelContext } from '../nn/model.js';
import * as ops from '../tensor/ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Dnn, units } from './dnn.js';
import { FieldModel, fieldShape } from './fields.js';
import { Towers } from './towers.js';

export const sharedBottomOptions = z.strictObject({
  ...fieldShape,
  hidden: units.default([256, 128]).describe('Sizes of the shared layers'),
  tower: units.default([64]).describe("Sizes of each domain's own layers"),
});
export type SharedBottomOptions = z.input<typeof sharedBottomOptions>;

/** Shared-Bottom (Caruana 1997): shared layers below, a tower per domain on top. */
export class SharedBottom extends FieldModel<z.output<typeof sharedBottomOptions>> {
  readonly bottom: Dnn;
  readonly towers: Towers;

  constructor(options: SharedBottomOptions & ModelContext) {
    super('shared-bottom', sharedBottomOptions, options);
    const { hidden, tower } = this.settings;
    this.bottom = new Dnn(this.width, hidden, this.settings);
    this.towers = new Towers(this.slots, hidden.at(-1) as number, tower, this.settings);
  }

  forward(batch: Batch): Tensor {
    const x = this.bottom.forward(ops.concat(this.embed(batch)));
    return ops.add(this.towers.forward(x, batch.slot), this.bias);
  }
}

/** Shared-Bottom over a dataset's schema. */
export function sharedBottom(options: SharedBottomOptions & ModelContext): SharedBottom {
  return new SharedBottom(options);
}
