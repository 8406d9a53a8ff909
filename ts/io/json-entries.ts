import { closeSync, openSync, readSync } from 'node:fs';
import { DataError } from '../errors.js';

const [quote, backslash, comma, colon] = Buffer.from('"\\,:');
const opening = new Set(Buffer.from('{['));
const closing = new Set(Buffer.from('}]'));
const [openBrace, closeBrace] = Buffer.from('{}');
const blanks = new Set(Buffer.from(' \t\n\r'));

/** A key and its value. */
export type Entry = readonly [string, unknown];

/**
 * The entries of the JSON object that a file holds, in the file's order and in pieces of about `bytesAtOnce`: the
 * text may be longer than a string can be. `expected`: what they are, for messages. Throws DataError.
 */
export function* entriesIn(
  path: string,
  expected: string,
  bytesAtOnce = 2 ** 20,
): Generator<Entry[]> {
  const fail = (what: string, cause?: unknown): never => {
    throw new DataError(`'${path}' ${what}; expected ${expected}`, { cause });
  };
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    return fail(`cannot be read as JSON: ${(cause as Error).message}`, cause);
  }
  try {
    const scan = new Scan();
    const block = Buffer.allocUnsafe(bytesAtOnce);
    for (;;) {
      const bytes = readSync(file, block);
      if (bytes === 0) break;
      const entries = scan.next(block.subarray(0, bytes));
      if (entries.length > 0) yield entries;
    }
    scan.end();
  } catch (cause) {
    fail(
      cause instanceof NoObject
        ? 'holds no object'
        : `cannot be read as JSON: ${(cause as Error).message}`,
      cause,
    );
  } finally {
    closeSync(file);
  }
}

class NoObject extends Error {}

/** Finds where entries end; what stands in them is left to JSON.parse. */
class Scan {
  /** Of what is not parsed yet, with the object's own colons as commas: so entries are pairs of an array. */
  #rest: Uint8Array = new Uint8Array();
  /** Objects and arrays that are open. */
  #depth = 0;
  #inText = false;
  #isEscaped = false;
  /** Whether the object's next own sign has to be a colon. */
  #expectsColon = true;
  #hasComma = false;
  #hasEnded = false;

  /** The entries that end in these bytes, which it changes. */
  next(bytes: Uint8Array): Entry[] {
    let begin = 0;
    let end = -1;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (this.#inText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) this.#inText = false;
      } else if (this.#depth === 0) {
        if (blanks.has(byte)) continue;
        if (this.#hasEnded) throw new Error('more text behind its end');
        if (byte !== openBrace) throw new NoObject();
        this.#depth = 1;
        begin = i + 1;
      } else if (byte === quote) {
        this.#inText = true;
      } else if (opening.has(byte)) {
        this.#depth++;
      } else if (closing.has(byte)) {
        this.#depth--;
        if (this.#depth > 0) continue;
        if (byte !== closeBrace || (this.#hasComma && this.#expectsColon)) {
          throw new Error("a '}' is missing, or an entry before it");
        }
        this.#hasEnded = true;
        end = i;
      } else if (this.#depth === 1 && (byte === comma || byte === colon)) {
        if ((byte === colon) !== this.#expectsColon) throw new Error('a key or a value is missing');
        this.#expectsColon = !this.#expectsColon;
        if (byte === comma) {
          this.#hasComma = true;
          end = i;
        } else bytes[i] = comma as number;
      }
    }
    const text = Buffer.concat([this.#rest, bytes.subarray(begin, end < 0 ? bytes.length : end)]);
    this.#rest = end < 0 ? text : new Uint8Array(bytes.subarray(end + 1));
    return end < 0 ? [] : pairsOf(text);
  }

  end(): void {
    if (!this.#hasEnded) throw new Error('it ends early');
  }
}

function pairsOf(text: Buffer): Entry[] {
  const values = JSON.parse(`[${text.toString('utf8')}]`) as unknown[];
  const pairs: Entry[] = [];
  for (let i = 0; i < values.length; i += 2) {
    const key = values[i];
    if (typeof key !== 'string' || i + 1 === values.length) throw new Error('a key is no text');
    pairs.push([key, values[i + 1]]);
  }
  return pairs;
}
