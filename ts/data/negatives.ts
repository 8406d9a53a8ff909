import type { Random } from './random.js';

/** Interactions of one domain as indices of users and items. */
export interface Pairs {
  readonly users: Int32Array;
  readonly items: Int32Array;
}

/** Everything a user has had to do with, in any domain and part: never a negative. */
export class Known {
  readonly #items = new Map<number, Set<number>>();

  add({ users, items }: Pairs): void {
    users.forEach((user, i) => {
      const known = this.#items.get(user) ?? new Set();
      this.#items.set(user, known.add(items[i] as number));
    });
  }

  has(user: number, item: number): boolean {
    return this.#items.get(user)?.has(item) ?? false;
  }
}

/**
 * Negatives of `positives` by the user of a random positive and a random item of `candidates`;
 * known pairs are rejected. Drawing the user from the positives keeps activity from leaking the
 * label. Fewer come out when a user knows nearly everything.
 */
export function byPositive(
  positives: Pairs,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Pairs {
  const wanted = Math.trunc(positives.users.length / ratio);
  const users: number[] = [];
  const items: number[] = [];
  for (let attempts = 0; users.length < wanted && attempts < 50 * wanted; attempts++) {
    const user = positives.users[random.below(positives.users.length)] as number;
    const item = candidates[random.below(candidates.length)] as number;
    if (known.has(user, item)) continue;
    users.push(user);
    items.push(item);
  }
  return { users: Int32Array.from(users), items: Int32Array.from(items) };
}

/**
 * MAMDR's public preparation: for each user int(positives / ratio) items drawn without replacement
 * from the candidates minus all of the user's positives; all of them when there are fewer.
 */
export function perUser(
  positives: Pairs,
  candidates: Int32Array,
  known: Known,
  ratio: number,
  random: Random,
): Pairs {
  const counts = new Map<number, number>();
  for (const user of positives.users) counts.set(user, (counts.get(user) ?? 0) + 1);
  const users: number[] = [];
  const items: number[] = [];
  for (const [user, count] of counts) {
    const free = candidates.filter((item) => !known.has(user, item));
    const wanted = Math.min(free.length, Math.trunc(count / ratio));
    for (let i = 0; i < wanted; i++) {
      const j = i + random.below(free.length - i);
      const drawn = free[j] as number;
      free[j] = free[i] as number;
      users.push(user);
      items.push(drawn);
    }
  }
  return { users: Int32Array.from(users), items: Int32Array.from(items) };
}
