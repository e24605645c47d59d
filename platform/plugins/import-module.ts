/**
 * Loads an ECMAScript module that is no part of the program. In a file of its own, because the packaging puts another one in
 * its place: code that V8 takes from its cache has lost the way to import.
 */
export const importModule = (url: string): Promise<unknown> => import(url);
