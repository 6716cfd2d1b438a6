/** Why orders and owners are refused. */
import { MeshError } from '../../model/error.ts';
import { type Order, subjectOfOrder } from '../../protocol/documents/order/order.ts';

/** MESH_ORDER_UNKNOWN */
export function unknownOrder(id: number): MeshError {
  return new MeshError('MESH_ORDER_UNKNOWN', `there is no order ${id}`, {
    object: String(id),
    remedy: 'See `mesh order list`. host0 forgets the oldest orders that were undone.',
  });
}

/** MESH_ORDER_KEPT */
export function orderKept({ id, state }: Pick<Order, 'id' | 'state'>): MeshError {
  return new MeshError('MESH_ORDER_KEPT', `order ${id} is ${state}`, {
    object: String(id),
    rule: 'Only an order that was undone is forgotten: by the others, host0 knows what belongs to whom.',
    remedy: `Cancel it first: \`mesh order cancel ${id}\``,
  });
}

/** MESH_ORDER_CANCELLED: the reason of an order that is undone on demand. */
export function orderCancelled(id: number): MeshError {
  return new MeshError('MESH_ORDER_CANCELLED', `order ${id} was cancelled`, {
    object: String(id),
    remedy: 'Order again if that was not meant.',
  });
}

/** MESH_ALREADY_MADE: another order has what was ordered. */
export function orderedTwice({ id, wish }: Pick<Order, 'id' | 'wish'>): MeshError {
  const subject = subjectOfOrder({ wish });
  return new MeshError('MESH_ALREADY_MADE', `order ${id} is for ${wish.kind} ${subject} already`, {
    object: subject,
    rule: 'A virtual machine, and its IPv4 address, belongs to one order.',
    remedy: `See \`mesh order show ${id}\`. To order anew, cancel that one first: \`mesh order cancel ${id}\``,
  });
}

/** MESH_ORDER_MANY */
export function tooManyOrders(max: number): MeshError {
  return new MeshError('MESH_ORDER_MANY', `host0 has ${max} orders`, {
    rule: `host0 keeps at most ${max} orders that are not undone.`,
    remedy: 'Cancel those that are not needed any more: `mesh order list`, `mesh order cancel ID`.',
  });
}

/** MESH_HOOK_OUTPUT: the hooks of one order, or one owner, have answered too much. */
export function answersFull(hook: string, maxBytes: number): MeshError {
  return new MeshError('MESH_HOOK_OUTPUT', `the answer of ${hook} is not kept: there is no room beside the others`, {
    object: hook,
    rule: `The answers of all hooks of one order have at most ${maxBytes / 1_024} KiB.`,
    remedy: 'Have the hooks answer less, and keep the rest in files of their own.',
  });
}

/** MESH_OWNER_UNKNOWN */
export function unknownOwner(name: string): MeshError {
  return new MeshError('MESH_OWNER_UNKNOWN', `there is no owner ${JSON.stringify(name)}`, {
    object: name,
    remedy: `See \`mesh owner list\`. \`mesh owner create ${name}\` makes one.`,
  });
}

/** MESH_OWNER_UNKNOWN: the owner is as good as gone. */
export function ownerLeaves(name: string): MeshError {
  return new MeshError('MESH_OWNER_UNKNOWN', `owner ${name} is being deleted`, {
    object: name,
    rule: 'An owner that is being deleted orders nothing.',
    remedy: 'Wait until `mesh owner list` does not show the owner any more, and make the owner again.',
  });
}

/** MESH_ALREADY_MADE */
export function ownerTwice(name: string): MeshError {
  return new MeshError('MESH_ALREADY_MADE', `there is an owner ${name}`, {
    object: name,
    rule: 'The name of an owner is unique in the cluster.',
    remedy: 'Choose another name. `mesh owner announce NAME` runs the hooks of an owner again.',
  });
}

/** MESH_OWNER_IN_USE */
export function ownerHasOrders(name: string, orders: readonly number[]): MeshError {
  const list = orders.slice(0, 10).join(', ');
  const more = orders.length > 10 ? ` and ${orders.length - 10} more` : '';
  return new MeshError('MESH_OWNER_IN_USE', `owner ${name} has orders: ${list}${more}`, {
    object: name,
    rule: 'An owner with orders is not deleted.',
    remedy: `Cancel them (\`mesh order cancel ID\`), or all at once: \`mesh owner delete ${name} --force\``,
  });
}
