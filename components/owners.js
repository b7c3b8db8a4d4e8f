// keeps a random number for a day from the last visit on, so that this browser finds its results again
export default function ({ data, setStateValue }) {
  const read = () => (document.cookie.split("; ").find((one) => one.startsWith(`${data.name}=`)) ?? "=").split("=")[1];
  const write = (value, seconds) => {
    document.cookie = `${data.name}=${value}; Max-Age=${seconds}; Path=${data.path}; SameSite=Strict`
      + (location.protocol === "https:" ? "; Secure" : "");
  };
  if (data.forget) { if (read()) write("", 0); return; }
  const there = read();
  if (data.known && there === data.token) return write(there, data.keep_s);
  if (data.known && !there) return setStateValue("said", { token: "", kept: false });  // somebody deleted it
  const token = there || data.token;
  write(token, data.keep_s);
  setStateValue("said", { token, kept: read() === token });
}
