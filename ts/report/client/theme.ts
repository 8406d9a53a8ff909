/** Colours and signs of the entries, for light and dark. */
export interface Theme {
  readonly dark: boolean;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly card: string;
  /** Of a place: 0 is the baseline's, the others' begin at 1. */
  color(place: number): string;
  /** From conflict over nothing to agreement. */
  readonly diverging: readonly string[];
}

/** Hues that stay apart with any colour vision, after Okabe and Ito; one set for each background. */
const palettes = {
  light: ['#0072b2', '#d55e00', '#009e73', '#aa4499', '#c08400', '#2f9ec6', '#5b4ea0', '#8c5a2b'],
  dark: ['#5aa9f0', '#f2854d', '#38c793', '#de84cc', '#edb935', '#6fd3ef', '#a597f0', '#c99668'],
} as const;

/** How many entries there are before colours come again, with another line and symbol. */
export const colors = palettes.light.length;

export function themeOf(dark: boolean): Theme {
  const style = getComputedStyle(document.documentElement);
  const variable = (name: string): string => style.getPropertyValue(name).trim();
  const palette = palettes[dark ? 'dark' : 'light'];
  return {
    dark,
    text: variable('--text'),
    muted: variable('--muted'),
    line: variable('--line'),
    card: variable('--card'),
    color: (place) =>
      place === 0 ? (dark ? '#8d949c' : '#868d95') : (palette[(place - 1) % colors] as string),
    diverging: dark
      ? ['#f2854d', '#9c5a38', '#2a2e35', '#3d6a94', '#5aa9f0']
      : ['#b2440b', '#eaa67c', '#f5f5f2', '#86b6d9', '#0b5a94'],
  };
}
