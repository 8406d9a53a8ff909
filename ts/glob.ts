/** Whether a glob pattern, in which * stands for anything, names a parameter. */
function matches(pattern: string, name: string): boolean {
  if (pattern === 'all') return true;
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

/** Whether patterns, of which those behind '!' take out, select a parameter. */
export function selects(patterns: readonly string[], name: string): boolean {
  return patterns.reduce((selected, pattern) => {
    const excludes = pattern.startsWith('!');
    return matches(excludes ? pattern.slice(1) : pattern, name) ? !excludes : selected;
  }, patterns[0]?.startsWith('!') ?? false);
}
