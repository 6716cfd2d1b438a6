/** Orders for people. */
import { type Order, type OrderAnswer, type OrderView, subjectOfOrder } from '../../protocol/documents/order/order.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { durationText } from '../print/duration.ts';
import { printable } from '../print/printable.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';

/** What an order is about: `network blue`. */
export function subjectOf({ wish }: Pick<Order, 'wish'>): string {
  return `${wish.kind} ${subjectOfOrder({ wish })}`;
}

/** The state of an order, and what it waits for. */
export function orderStateText({ state, waits, error }: OrderView): string {
  if (waits !== undefined) return `${state}: ${waits.why}`;
  return error === undefined || state === 'done' ? state : `${state}: ${error.message}`;
}

const TONES: Readonly<Record<Order['state'], Tone>> = {
  running: 'warning',
  done: 'good',
  undoing: 'warning',
  undone: 'bad',
};

const COLUMNS: readonly Column<OrderView>[] = [
  { title: 'ORDER', text: ({ id }) => String(id), align: 'right' },
  { title: 'OWNER', text: ({ owner = '–' }) => owner },
  { title: 'FOR', text: subjectOf, flexible: true },
  { title: 'STATE', text: orderStateText, tone: ({ state }) => TONES[state], flexible: true },
];

/** A line for each order. */
export function ordersTable(orders: readonly OrderView[], { page }: Pick<Context, 'page'>): string {
  return table(orders, COLUMNS, page) || 'There are no orders.\n';
}

/** One order with its steps and what hooks said. */
export function orderText(order: OrderView, { paint }: Pick<Context, 'paint'>): string {
  const { id, owner, since, until, waits, error, hooks, faults, steps, state, once } = order;
  const facts: [string, string | undefined][] = [
    ['order', `${id}: ${subjectOf(order)}`],
    ['owner', owner],
    ['state', waits === undefined ? state : `${state}, for ${durationText(waits.ageSec)}: ${waits.why}`],
    ['because', error?.message],
    ['remedy', error?.remedy],
    ['once', once],
    ['since', since],
    ['until', until],
    ...steps.map((step, index): [string, string] => [
      `step ${index + 1}`,
      `${step.kind}: ${step.state}${madeText(step)}`,
    ]),
    ...Object.entries(hooks).map(([hook, answer]): [string, string] => ['hook', `${hook}: ${JSON.stringify(answer)}`]),
    ...faults.map(({ hook, error: fault }): [string, string] => ['failed', `${hook}: ${fault.message}`]),
  ];
  return properties(facts, paint);
}

function madeText({ made }: Order['steps'][number]): string {
  const words = Object.entries(made).map(([name, value]) => `${name} ${value}`);
  return words.length === 0 ? '' : `, ${words.join(', ')}`;
}

/** What became of the request of an order. */
export function orderAnswerText({ order, steps, earlier }: OrderAnswer): string {
  const lines = steps.map((step) => `  ${step}`);
  if (order === undefined) return printable(`An order would`).concat('\n', lines.map(printable).join('\n'), '\n');
  if (earlier)
    return printable(`Order ${order.id} was made before: ${subjectOf(order)} is ${order.state}.`).concat('\n');
  return printable(`Order ${order.id} is made: ${subjectOf(order)}.`).concat('\n');
}
