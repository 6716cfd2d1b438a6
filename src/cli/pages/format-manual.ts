/**
 * The manual pages of the file formats, in section 5. They are made from the pages of docs/reference/formats, so that
 * both say the same. The pages use little of Markdown: headings, paragraphs, tables, lists, code, and links.
 */
import { manExample, manPage, manSection, type PageHead, roff } from './roff.ts';

/** A page's name without `.md` is the name of its manual page: `mesh-host0.conf`. */
export function formatManual(name: string, markdown: string, version: string, others: readonly string[]): string {
  const [title = '', ...blocks] = blocksOf(markdown);
  const [brief = ''] = blocks;
  const head: PageHead = { name, section: 5, version, brief: plain(brief) };
  if (!title.startsWith('# ') || brief.includes('\n')) throw new Error(`${name} begins with no title and sentence`);
  const also = others.filter((other) => other !== name).map((other) => `\\fB${roff(other)}\\fR(5)`);
  return manPage(head, [
    ...manSection('DESCRIPTION', blocks.slice(1).flatMap(blockLines)),
    ...manSection('SEE ALSO', [['\\fBmesh\\fR(1)', ...also].join(', '), ...docsPointer()]),
  ]);
}

/** Where the packages put the documentation, as lines of roff. */
export function docsPointer(): string[] {
  return ['.PP', `All pages of the documentation are in ${roff('/usr/share/doc/meshwork/docs')}.`];
}

/** Blocks are apart by empty lines; code with empty lines is one block. */
function blocksOf(markdown: string): string[] {
  return [...markdown.matchAll(/```[\s\S]*?\n```|[^\n][\s\S]*?(?=\n\n|\n*$)/g)]
    .map(([block]) => block.trim())
    .filter((block) => block !== '' && !block.startsWith('<!--'));
}

function blockLines(block: string): string[] {
  const [first = '', ...rest] = block.split('\n');
  if (first.startsWith('## ')) return [`.SH ${roff(first.slice(3).toUpperCase())}`];
  if (first.startsWith('```')) return manExample(rest.slice(0, -1).join('\n'));
  if (first.startsWith('|')) return tableLines(block);
  if (first.startsWith('- '))
    return block
      .split(/^- /m)
      .slice(1)
      .flatMap((item) => ['.IP \\(bu 2', inline(item.trim())]);
  return ['.PP', inline(block)];
}

/** A row is an item: its first cell is the term, and the others follow, each but the last with its title. */
function tableLines(block: string): string[] {
  const rows = block.split('\n').map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
  const [titles = [], , ...body] = rows;
  return body.flatMap(([term = '', ...cells]) => {
    const middle = cells.slice(0, -1).map((cell, index) => `${titles[index + 1]}: ${cell}.`);
    return ['.TP', inline(term), inline([cells.at(-1) ?? '', ...middle].join('. ').replaceAll(/\.\. /g, '. '))];
  });
}

function inline(text: string): string {
  return plainLinks(text)
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .map((part) => (/^[`*]/.test(part) ? `\\fB${roff(part.replaceAll(/^[`*]+|[`*]+$/g, ''))}\\fR` : roff(part)))
    .join('');
}

function plain(text: string): string {
  return plainLinks(text).replaceAll(/[`*]/g, '');
}

function plainLinks(text: string): string {
  return text.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('\\|', '|');
}
