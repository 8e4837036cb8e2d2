// Whether this browser is to notify its user when a run ends: switched on the Train page, shown from every page.
import { readText, writeText } from "./storage.js";

const KEY = "swirl-notify";

export const canNotify = () => typeof Notification !== "undefined";
export const isNotifying = () => canNotify() && Notification.permission === "granted" && readText(KEY) === "yes";
export const setNotifying = (wanted) => writeText(KEY, wanted ? "yes" : "");
