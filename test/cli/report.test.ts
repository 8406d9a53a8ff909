import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../ts/compare/job.js';
import type { Comparison } from '../../ts/compare/result.js';
import { openPage } from './browser.js';
import { baseConfig, Sandbox, set } from './sandbox.js';

const domains = ['DE', 'FR', 'UK'];
const colors = { baseline: '#868d95', first: '#0072b2' };
const box = new Sandbox();

/** The element of a chart, with all that was drawn in it. */
function chart(dom: string, id: string): string {
  const begin = dom.indexOf(`<div class="chart" id="${id}"`);
  expect(begin, `chart ${id}`).toBeGreaterThan(0);
  const end = dom.indexOf('</svg>', begin);
  return dom.slice(begin, end);
}

function count(text: string, part: RegExp): number {
  return [...text.matchAll(part)].length;
}

const filled = (color: string) => new RegExp(`<path [^>]*fill="${color}"`, 'g');
const stroked = (color: string) => new RegExp(`<path [^>]*stroke="${color}"`, 'g');

describe('report.html', () => {
  beforeAll(async () => {
    const { strategy: _, ...rest } = baseConfig;
    const compare = {
      seeds: 2,
      entries: [
        { label: 'MLP', strategy: { name: 'alternate' }, finetune: { epochs: 2 } },
        {
          label: '</script><b>MAMDR</b>',
          strategy: { name: 'mamdr', helpers: 1 },
          tune: { 'strategy.outerRate': [0.1, 0.5] },
        },
      ],
    };
    box.write('compare.json', JSON.stringify({ ...rest, compare }));
    await box.done(['compare', 'compare.json', '-o', 'out']);
    const alternate = set({ strategy: { name: 'alternate' } });
    await box.done(['train', 'config.json', '-o', 'mamdr']);
    await box.done(['train', 'config.json', '-o', 'alternate', ...alternate]);
  }, 60_000);
  afterAll(() => box.remove());

  it('of a comparison shows every chart without an error', async () => {
    const { dom, console } = await openPage(box.path('out', 'report.html'));
    expect(console).toEqual([]);
    const bars = chart(dom, 'bars');
    for (const domain of domains) expect(bars).toContain(`>${domain}</text>`);
    expect(count(bars, filled(colors.baseline))).toBe(3);
    expect(count(bars, filled(colors.first))).toBe(3);
    for (const id of ['auc-curves', 'loss-curves']) {
      // A line and a ring for each of two seeds, and the baseline's second stage.
      expect(count(chart(dom, id), stroked(colors.first))).toBeGreaterThanOrEqual(4);
      expect(count(chart(dom, id), stroked(colors.baseline))).toBeGreaterThanOrEqual(5);
      expect(chart(dom, id)).toContain('>finetune</text>');
    }
    // A point per domain, and none of the baseline.
    expect(count(chart(dom, 'gains'), filled(colors.first))).toBe(3);
    expect(count(chart(dom, 'gains'), filled(colors.baseline))).toBe(0);
    expect(count(chart(dom, 'conflicts'), /<path [^>]*fill="(rgb|#)[^>]*stroke="#ffffff"/g)).toBe(
      6,
    );
    expect(dom).toMatch(
      /of 3 pairs are in conflict \(below 0\)\. From all of their training rows\./,
    );
    // What was given is text, never markup.
    expect(dom).not.toContain('<b>MAMDR</b>');
    expect(dom).toContain('&lt;/script&gt;&lt;b&gt;MAMDR');
    expect(dom).toMatch(/<h2>Tuning<\/h2>.*strategy\.outerRate 0\.[15]/s);
  }, 60_000);

  it('needs nothing but itself', () => {
    const text = box.text('out', 'report.html');
    expect(text).not.toMatch(/<script[^>]* src=|<link[^>]*stylesheet|@import|url\(["']?http/);
  });

  it('has the cosines of the gradients at the trained model', async () => {
    const { entries } = box.json<Comparison>('out', 'compare.json');
    const [first, second] = (entries[1]?.runs ?? []).map(({ file }) =>
      box.json<RunRecord>('out', file),
    );
    const conflicts = first?.conflicts;
    expect(second?.conflicts).toBeNull();
    expect([...(conflicts?.domains ?? [])].sort()).toEqual(domains);
    conflicts?.cosines.forEach((row, a) => {
      expect(row[a]).toBe(1);
      row.forEach((cosine, b) => {
        expect(cosine).toBe(conflicts.cosines[b]?.[a]);
        expect(Math.abs(Number(cosine))).toBeLessThanOrEqual(1);
      });
    });
  });

  it('of a run is in its folder', async () => {
    const { dom, console } = await openPage(box.path('mamdr', 'report.html'));
    expect(console).toEqual([]);
    expect(dom).toContain('<h1>Run mamdr</h1>');
    expect(count(chart(dom, 'bars'), filled(colors.baseline))).toBe(3);
    expect(count(chart(dom, 'auc-curves'), stroked(colors.baseline))).toBeGreaterThanOrEqual(1);
    const metrics = box.json<{ test: { auc: { mean: number } } }>('mamdr', 'metrics.json');
    expect(dom).toContain(`>${metrics.test.auc.mean.toFixed(4)}</td>`);
    expect(dom).toMatch(/<dt>strategy\.name<\/dt><dd>mamdr<\/dd>/);
    expect(dom).not.toContain('Who gains?');
  }, 60_000);

  it('sets several runs beside each other', async () => {
    const args = ['report', 'alternate', 'mamdr', '-o', 'both.html', '--json'];
    expect(JSON.parse(await box.done(args))).toEqual({
      output: 'both.html',
      entries: ['alternate', 'mamdr'],
    });
    const { dom, console } = await openPage(box.path('both.html'));
    expect(console).toEqual([]);
    expect(count(chart(dom, 'bars'), filled(colors.first))).toBe(3);
    expect(count(chart(dom, 'gains'), filled(colors.first))).toBe(3);
    expect(dom).toMatch(/<th scope="row">.*alternate.*<em>baseline<\/em>/s);
  }, 60_000);

  it('is made of a comparison again', async () => {
    const before = box.text('out', 'report.html');
    expect(await box.done(['report', 'out', '-o', 'again.html'])).toBe('Report: again.html\n');
    expect(box.text('again.html')).toBe(before);
  });

  it('says what it cannot read', async () => {
    const fails = async (...folders: string[]) => {
      const { code, stderr } = await box.run(['report', ...folders, '-o', 'none.html']);
      expect(box.exists('none.html')).toBe(false);
      return `${code}: ${stderr}`;
    };
    expect(await fails('nothing')).toMatch(/^3: CheckpointError: 'nothing' cannot be read.*run/);
    expect(await fails('out', 'mamdr')).toMatch(/^2: ConfigError: 'out' is a comparison/);
    const other = new Sandbox(box);
    rmSync(other.path('out', 'compare.json'));
    other.write('out/compare.json', '{"format":"other"}');
    const { code, stderr } = await other.run(['report', 'out', '-o', 'none.html']);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/is of format 'other'/)]);
    other.remove();
  });

  it('is seen to fail where it does', async () => {
    box.write('broken.html', '<script>nothing.at.all()</script>');
    const { console } = await openPage(box.path('broken.html'));
    expect(console.join()).toMatch(/ReferenceError/);
  }, 60_000);
});
