import { z } from 'zod';
import { ConfigError } from './errors.js';
import { suggest } from './nearest.js';

type JsonSchema = {
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
};

/** The property names that a schema knows at a path, over all alternatives that may be meant by the value there. */
function knownKeys(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  // Another name rules an alternative out.
  const isMeant = ({ properties = {} }: JsonSchema, given: unknown): boolean =>
    Object.entries(properties).every(
      ([key, own]) => own.const === undefined || own.const === valueAt(given, [key]),
    );
  const alternatives = (node: JsonSchema, given: unknown): JsonSchema[] =>
    [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])]
      .flatMap((one) => (one === node ? [one] : alternatives(one, given)))
      .filter((one) => isMeant(one, given));
  let nodes = alternatives(
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema,
    value,
  );
  path.forEach((key, depth) => {
    const given = valueAt(value, path.slice(0, depth + 1));
    nodes = nodes.flatMap((node) => {
      const next = typeof key === 'number' ? node.items : node.properties?.[String(key)];
      return next ? alternatives(next, given) : [];
    });
  });
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

/** Letters of a value that a message shows. */
const longest = 200;

/** Of a union's alternatives, what is wrong with the one that was most likely meant. */
function nearestAlternative(issues: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue {
  const strangers = (alternative: readonly z.core.$ZodIssue[]): number =>
    alternative.reduce(
      (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0),
      0,
    );
  const [nearest] = [...issues].sort((a, b) => strangers(a) - strangers(b) || a.length - b.length);
  return nearest?.[0] as z.core.$ZodIssue;
}

/** A value for messages. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  // JSON knows no NaN.
  if (typeof value === 'number') return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === 'function')
    return value.name === '' ? 'a function' : `function ${value.name}`;
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > longest ? `${text.slice(0, longest)}...` : text;
  } catch {
    // A cycle, or what JSON cannot hold.
    return Object.prototype.toString.call(value);
  }
}

function describe(
  schema: z.ZodType,
  value: unknown,
  where: string,
  issue: z.core.$ZodIssue,
): string {
  if (
    issue.code === 'invalid_union' &&
    issue.errors.length > 0 &&
    issue.message === 'Invalid input'
  ) {
    const nearest = nearestAlternative(issue.errors);
    const path = [...issue.path, ...nearest.path];
    return describe(schema, value, where, { ...nearest, path } as z.core.$ZodIssue);
  }
  const at = [where, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    return `${at === '' ? '' : `${at}: `}unknown key '${key}'${suggest(key, knownKeys(schema, value, issue.path))}`;
  }
  const given = valueAt(value, issue.path);
  if (issue.code === 'invalid_union' && 'options' in issue) {
    const known = (issue.options as unknown[]).map(String);
    return `${at}: '${String(given)}'${suggest(String(given), known)}`;
  }
  return `${at}: ${shown(given)}; ${issue.message.replace(/^Invalid (input|option): |^Too (small|big): /, '')}`;
}

/**
 * Checks options against their schema and fills in defaults. Throws ConfigError that names the
 * first key at fault, its value and what would be right; `where` is the path of the whole.
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  throw new ConfigError(describe(schema, value, where, issue));
}

/** Puts the key at fault before the message of a ConfigError that the body throws. */
export function blaming<Result>(key: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new ConfigError(`${key}: ${cause.message}`, { cause });
  }
}

/** A share or rate above 0 and of 1 at most. */
export const rate = z.number().gt(0).lte(1);
export const positive = z.number().gt(0);
export const count = z.int().gte(1);
export const anyFunction = z.custom<(...parameters: never[]) => unknown>(
  (own) => typeof own === 'function',
  'expected a function',
);
export const abortSignal = z.custom<AbortSignal>(
  (own) => own instanceof AbortSignal,
  'expected an AbortSignal',
);
