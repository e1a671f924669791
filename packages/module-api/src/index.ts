/**
 * What a feature is written against: declaration, hooks, ports of the core. Features live in `modules/`, one folder each.
 */
export * from './module.ts'
export * from './option.ts'
export * from './hook.ts'
export * from './hooks.ts'
export * from './entities.ts'
export * from './core-ports.ts'
export * from './members-port.ts'
export { definePort } from '@rollcall/ports'
export type { Port, PortType } from '@rollcall/ports'
export { archiveStore, counterStore, keyvalStore, logStore, mapStore } from '@rollcall/ports'
