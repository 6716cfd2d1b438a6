/** Every command in the documentation exists, with its options and arguments. */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { parseMeshConf } from '../src/formats/conf/mesh-conf.ts';
import { HOST0_KEYS, parseHost0Conf } from '../src/formats/host0/host0-conf.ts';
import { parseManifest } from '../src/formats/host0/manifest.ts';
import { SHOWN_KEYS } from '../src/formats/workload/workload-keys.ts';
import { meshCommands, missingLine, shownCommands } from './cli/console-block.ts';
import { wholeTree } from './cli/mesh.ts';

const TOP = new URL('..', import.meta.url).pathname;
const PAGES = globSync(['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs/**/*.md'], { cwd: TOP });

/**
 * Parses a command line without running the command.
 * @throws CommanderError when it is wrong
 */
async function parse(words: readonly string[]): Promise<void> {
  const tree = await wholeTree();
  const disarm = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {});
    command.commands.forEach(disarm);
  };
  disarm(tree);
  await tree.parseAsync(words, { from: 'user' });
}

test('there is documentation', () => {
  expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/tutorial.md']));
});

describe.each(PAGES)('%s', (page) => {
  const commands = shownCommands(readFileSync(TOP + page, 'utf8'));

  test('shows only mesh commands that exist', async () => {
    for (const { line, text } of commands) {
      for (const words of meshCommands(text)) {
        await expect(parse(words), `${page}:${line}: mesh ${words.join(' ')}`).resolves.toBeUndefined();
      }
    }
  });

  test('shows only npm scripts that exist', () => {
    const shown = commands.flatMap(({ text }) => /^npm (?:run )?(?!exec\b)([a-z]+)/.exec(text)?.[1] ?? []);
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(shown));
  });

  test('links only to pages that exist', () => {
    const markdown = readFileSync(TOP + page, 'utf8');
    for (const [, target = ''] of markdown.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(globSync(new URL(target, `file://${TOP}${page}`).pathname), `${page}: ${target}`).toHaveLength(1);
    }
  });
});

test('docs/install.md names exactly the capabilities of the services', () => {
  const rows = readFileSync(`${TOP}docs/install.md`, 'utf8').matchAll(/^\| (?:`(meshwork-\w+)` )?\| (`CAP_.*?) \|/gm);
  const told = new Map<string, string[]>();
  let service = '';
  for (const [, name = service, capabilities = ''] of rows) {
    service = name;
    told.set(service, [...(told.get(service) ?? []), ...capabilities.replaceAll(/[`,]/g, '').split(' ')]);
  }
  for (const name of ['meshwork-host0', 'meshwork-agent']) {
    const unit = readFileSync(`${TOP}packaging/systemd/${name}.service`, 'utf8');
    expect(told.get(name), name).toEqual(/^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' '));
  }
});

describe('docs/reference/formats', () => {
  const termsOf = (page: string) =>
    [...readFileSync(`${TOP}docs/reference/formats/${page}.md`, 'utf8').matchAll(/^\| `([\w.<>]+)` \|/gm)].map(
      ([, term]) => term,
    );

  test('has every setting of host0.conf, and no other', () => {
    expect(termsOf('mesh-host0.conf').toSorted()).toEqual(HOST0_KEYS.toSorted());
  });

  test('has every key of a workload file, and no other', () => {
    expect(termsOf('mesh-workload.conf').toSorted()).toEqual(SHOWN_KEYS.toSorted());
  });

  test('has the examples that are taken without a fault', () => {
    const example = (page: string) =>
      Buffer.from(
        /```\w+\n([\s\S]*?)```/.exec(readFileSync(`${TOP}docs/reference/formats/${page}.md`, 'utf8'))?.[1] ?? '',
      );
    expect(parseHost0Conf('x', example('mesh-host0.conf')).errors).toEqual([]);
    expect(parseMeshConf('x', example('mesh-network.conf')).errors).toEqual([]);
    expect(parseManifest('x', example('mesh-manifest')).errors).toEqual([]);
  });
});

test('the licence names its holder, and so does package.json', () => {
  expect(readFileSync(`${TOP}LICENSE`, 'utf8')).toMatch(new RegExp(`^ *Copyright \\d{4} ${manifest.author}$`, 'm'));
});

test('every page is linked from the README, or from a page that is', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    const targets = readFileSync(TOP + page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g);
    for (const [, target = ''] of targets) {
      const path = new URL(target, `file:///${page}`).pathname.slice(1);
      if (path.endsWith('.md') || path.endsWith('.svg')) reached.add(path);
    }
  }
  const pages = globSync(['docs/**/*.{md,svg}', '*.md'], { cwd: TOP });
  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
});

test('the map in CONTRIBUTING.md has every room', () => {
  const map = readFileSync(`${TOP}CONTRIBUTING.md`, 'utf8');
  const rooms = readdirSync(`${TOP}src`);
  expect(rooms.filter((room) => !map.includes(`\`${room}/\``))).toEqual([]);
});

test('the extractor finds commands in loops, pipes and on other hosts', () => {
  expect(meshCommands("for n in a b; do mesh lab exec $n -- sh -c 'cp x y'; done")).toEqual([
    ['lab', 'exec', '$n', '--', 'sh', '-c', 'cp x y'],
  ]);
  expect(meshCommands('mesh lab exec node1 -- mesh ping manage node2 | head')).toEqual([
    ['lab', 'exec', 'node1', '--', 'mesh', 'ping', 'manage', 'node2'],
    ['ping', 'manage', 'node2'],
  ]);
});

test('shown output is compared line by line, without regard to numbers', () => {
  const [command] = shownCommands(
    '```console\n$ mesh x\nnode1  10.11.0.2  02:aa:bb:cc:dd:ee  4 s\n…\nlast\n```\nnot this\n',
  );
  expect(command?.answer).toHaveLength(3);
  const { answer = [] } = command ?? {};
  expect(missingLine('node1 10.11.0.33 02:00:00:00:00:01  1 min\nmore\nlast\n', answer)).toBeUndefined();
  expect(missingLine('other 10.11.0.33 02:00:00:00:00:01  1 min\nlast\n', answer)).toBe(answer[0]);
  expect(missingLine('last\nnode1 10.11.0.33 02:00:00:00:00:01  1 min\n', answer)).toBe('last');
});
