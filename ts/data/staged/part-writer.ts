import { writeAtSync } from '../../io/write-at.js';
import { ofKind } from '../features.js';
import type { SplitName } from '../types.js';
import { GroupedColumn } from './grouped-column.js';
import type { Plan } from './plan.js';

/** The columns of one part. */
export class PartWriter {
  readonly #labels: GroupedColumn;
  readonly #weights: GroupedColumn | undefined;
  readonly #ids: readonly GroupedColumn[];
  readonly #numbers: readonly GroupedColumn[];
  readonly #lists: readonly { readonly offsets: GroupedColumn; readonly ids: GroupedColumn }[];

  constructor(
    file: number,
    beginOf: (name: string) => number,
    name: SplitName,
    part: number,
    { schema: { features }, weighted, rowOffsets, listOffsets, capacity }: Plan,
  ) {
    const offsets = rowOffsets[part] as Int32Array;
    const grouped = (
      column: string,
      type: typeof Int32Array | typeof Float32Array,
      starts: ArrayLike<number>,
    ) => new GroupedColumn(file, beginOf(`${name}.${column}`), starts, type, capacity);
    const whole = (column: string, { buffer, byteOffset, byteLength }: Int32Array, from = 0) => {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      writeAtSync(file, bytes, beginOf(`${name}.${column}`) + 4 * from);
    };
    whole('domainOffsets', offsets);
    this.#labels = grouped('labels', Float32Array, offsets);
    this.#weights = weighted ? grouped('weights', Float32Array, offsets) : undefined;
    this.#ids = ofKind(features, 'categorical').map((_, i) =>
      grouped(`ids.${i}`, Int32Array, offsets),
    );
    this.#numbers = ofKind(features, 'numeric').map((_, i) =>
      grouped(
        `numbers.${i}`,
        Float32Array,
        Float64Array.from(offsets, (start) => 2 * start),
      ),
    );
    this.#lists = (listOffsets[part] ?? []).map((starts, i) => {
      whole(`lists.${i}.offsets`, starts.slice(-1), offsets.at(-1));
      return {
        offsets: grouped(`lists.${i}.offsets`, Int32Array, offsets),
        ids: grouped(`lists.${i}.ids`, Int32Array, starts),
      };
    });
  }

  row(domain: number, label: number, weight: number): void {
    this.#labels.push(domain, label);
    this.#weights?.push(domain, weight);
  }

  id(i: number, domain: number, id: number): void {
    this.#ids[i]?.push(domain, id);
  }

  number(i: number, domain: number, value: number, missing: number): void {
    this.#numbers[i]?.push(domain, value);
    this.#numbers[i]?.push(domain, missing);
  }

  list(i: number, domain: number, ids: readonly number[]): void {
    const own = this.#lists[i];
    own?.offsets.push(domain, own.ids.place(domain));
    for (const id of ids) own?.ids.push(domain, id);
  }

  finish(): void {
    for (const { offsets, ids } of this.#lists) {
      offsets.finish();
      ids.finish();
    }
    const columns = [this.#labels, this.#weights, ...this.#ids, ...this.#numbers];
    for (const column of columns) column?.finish();
  }
}
