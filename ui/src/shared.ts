// React, Chakra and the router of Airflow itself: the page looks and works as the rest, and brings none of its own.

import type * as ReactTypes from "react";

const given = globalThis as unknown as Record<string, any>;

export const React = given.React as typeof ReactTypes;
export const h = React.createElement;
// What JSX means to the compiler; nothing of it is in the bundle.
export declare namespace h {
  namespace JSX {
    type Element = any;
    type IntrinsicElements = ReactTypes.JSX.IntrinsicElements;
    interface IntrinsicAttributes {
      key?: string | number;
    }
    interface ElementChildrenAttribute {
      children: unknown;
    }
  }
}
export const Fragment = React.Fragment;
export const { useCallback, useEffect, useRef, useState } = React;

// Chakra's own types would bring all of Chakra along.
export const C: any = given.ChakraUI;
export const { Link: RouterLink, useLocation, useSearchParams } = given.ReactRouterDOM as {
  Link: any;
  useLocation: () => { pathname: string };
  useSearchParams: () => [URLSearchParams, (next: Record<string, string>, options?: { replace: boolean }) => void];
};
