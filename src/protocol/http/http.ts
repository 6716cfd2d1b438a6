/**
 * node:http without its WebSocket client. A plain `import` reads every export. Some exports are getters that load undici,
 * which costs every process 30 ms and some megabytes. Types may be imported from 'node:http' as usual.
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
