// A session of ldapjs (Node.js): prints what it is told, so that two runs can be compared.
'use strict'
const fs = require('fs')
const ldap = require('ldapjs')

const BASE = 'dc=example,dc=com'
const PEOPLE = 'ou=people,' + BASE
const tls = { ca: [fs.readFileSync(process.env.LDAP_CA)], servername: 'localhost' }

function call (what, start) {
  return new Promise((resolve) => start((error, result) => {
    if (error) console.log(what, error.code, error.name, error.dn || '')
    else console.log(what, 'ok', typeof result === 'boolean' ? result : '')
    resolve(result)
  }))
}

function search (what, client, base, options, controls) {
  return new Promise((resolve) => client.search(base, options, controls || [], (error, found) => {
    if (error) { console.log(what, error.name); return resolve([]) }
    const entries = []
    let pages = 0
    const end = (text) => {
      entries.sort((a, b) => a.dn < b.dn ? -1 : 1)
      console.log(what, text, pages)
      for (const entry of entries) {
        for (const name of Object.keys(entry)) if (Array.isArray(entry[name])) entry[name].sort()
        console.log('  ' + JSON.stringify(entry))
      }
      resolve(entries)
    }
    found.on('searchEntry', (entry) => { const { controls, ...rest } = entry.object; entries.push(rest) })
    found.on('page', () => { pages += 1 })
    found.on('error', (error) => end(`${error.code} ${error.name}`))
    found.on('end', (result) => end(`${result.status}`))
  }))
}

async function open (starttls) {
  const port = starttls ? process.env.LDAP_PORT : process.env.LDAPS_PORT
  const url = `${starttls ? 'ldap' : 'ldaps'}://127.0.0.1:${port}`
  const client = ldap.createClient({ url, tlsOptions: tls, timeout: 20000, connectTimeout: 20000 })
  client.on('error', (error) => console.log('connection', error.message))
  await new Promise((resolve) => client.once('connect', resolve))
  if (starttls) await call('start tls', (done) => client.starttls(tls, [], done))
  return client
}

async function session (starttls) {
  const client = await open(starttls)
  await call('wrong password', (done) => client.bind('uid=alice,' + PEOPLE, 'wrong', done))
  await call('bind', (done) => client.bind('uid=alice,' + PEOPLE, 'alice-secret', done))
  await call('who', (done) => client.exop('1.3.6.1.4.1.4203.1.11.3', (error, value) => { console.log(value); done(error) }))
  await search('root', client, '', { scope: 'base', attributes: ['namingContexts', 'supportedLDAPVersion'] })
  const accounts = '(&(objectClass=posixAccount)(uidNumber>=1001)(!(uid=root*)))'
  await search('accounts', client, BASE, { scope: 'sub', filter: accounts, attributes: ['uid', 'mail', 'memberOf'] })
  await search('pages', client, BASE, { scope: 'sub', filter: '(uidNumber=*)', attributes: ['uid'], paged: { pageSize: 3 } })
  await search('limit', client, PEOPLE, { scope: 'sub', filter: '(uid=alice)', attributes: ['uid'], sizeLimit: 1 })
  await search('absent', client, 'uid=x,' + PEOPLE, { scope: 'base' })
  const dn = 'uid=jo,' + PEOPLE
  const entry = { objectClass: ['inetOrgPerson'], uid: 'jo', cn: 'Jo', sn: 'J' }
  await call('add', (done) => client.add(dn, entry, done))
  await call('again', (done) => client.add(dn, entry, done))
  const change = new ldap.Change({ operation: 'add', modification: { mail: ['jo@example.com'] } })
  await call('modify', (done) => client.modify(dn, change, done))
  await call('compare', (done) => client.compare(dn, 'mail', 'jo@example.com', done))
  await call('compare', (done) => client.compare(dn, 'mail', 'no@example.com', done))
  await call('rename', (done) => client.modifyDN(dn, 'uid=jill', done))
  await call('delete', (done) => client.del('uid=jill,' + PEOPLE, done))
  await call('gone', (done) => client.del('uid=jill,' + PEOPLE, done))
  await call('unbind', (done) => client.unbind(done))
}

async function guarded () {
  const client = await open(false)
  await call('bind', (done) => client.bind('uid=alice,' + PEOPLE, 'alice-secret', done))
  await search('salaries', client, BASE, { scope: 'sub', filter: '(description=salary*)' })
  const record = 'uid=e01,ou=payroll,' + BASE
  await search('record', client, record, { scope: 'base' })
  const change = new ldap.Change({ operation: 'replace', modification: { description: ['salary 9'] } })
  await call('raise', (done) => client.modify(record, change, done))
  await call('compare', (done) => client.compare(record, 'description', 'salary 1000', done))
  await call('unbind', (done) => client.unbind(done))
}

async function main () {
  if (process.argv[2] === 'protected') await guarded()
  else for (const starttls of [false, true]) await session(starttls)
  console.log('done')
  process.exit(0)
}
main()
