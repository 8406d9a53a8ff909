/** The best of a list of scores. */
export interface TopK {
  /** Rows, best first; of equal scores the first. */
  readonly index: Int32Array;
  readonly score: Float32Array;
}

/** The `k` highest scores, or all when there are fewer: a heap of the best so far, its worst on top. */
export function topK(scores: Float32Array, k: number): TopK {
  const size = Math.min(k, scores.length);
  const heap = new Int32Array(size);
  const worse = (a: number, b: number): boolean => {
    const [left, right] = [scores[a] as number, scores[b] as number];
    return left < right || (left === right && a > b);
  };
  const sink = (row: number, count: number): void => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      const right = child + 1;
      if (right < count && worse(heap[right] as number, heap[child] as number)) child = right;
      if (!worse(heap[child] as number, row)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = row;
  };
  for (let row = 0; row < size; row++) {
    let at = row;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!worse(row, heap[parent] as number)) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = row;
  }
  for (let row = size; row < scores.length; row++) {
    if (worse(heap[0] as number, row)) sink(row, size);
  }
  // The worst that is left goes to the end.
  for (let end = size - 1; end > 0; end--) {
    const worst = heap[0] as number;
    sink(heap[end] as number, end);
    heap[end] = worst;
  }
  return { index: heap, score: Float32Array.from(heap, (row) => scores[row] as number) };
}
