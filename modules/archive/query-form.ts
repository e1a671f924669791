/** The form that tells clients what they may ask for (XEP-0313 §4.1.5). */
import { DataForm, NS_MAM } from '@rollcall/protocol'
import { XmlElement } from '@rollcall/xml'
import { FULL_TEXT_FIELD } from './query.ts'

const NS_VALIDATE = 'http://jabber.org/protocol/xdata-validate'

export function queryForm(isSearchable: boolean): XmlElement {
  const form = DataForm.encode({
    type: 'form',
    fields: [
      { var: 'FORM_TYPE', type: 'hidden', values: [NS_MAM] },
      { var: 'with', type: 'jid-single' },
      { var: 'start', type: 'text-single' },
      { var: 'end', type: 'text-single' },
      { var: 'before-id', type: 'text-single' },
      { var: 'after-id', type: 'text-single' },
      { var: 'ids', type: 'list-multi' },
      { var: 'include-groupchat', type: 'boolean' },
      ...(isSearchable ? [{ var: FULL_TEXT_FIELD, type: 'text-single' } as const] : []),
    ],
  })
  // XEP-0122 §3.3: any value, not one of a list that the form would have to carry.
  const open = new XmlElement('validate', NS_VALIDATE, { datatype: 'xs:string' }, [new XmlElement('open', NS_VALIDATE)])
  const children = form.elements().map((field) => (field.attribute('var') === 'ids' ? field.append(open) : field))
  return new XmlElement('query', NS_MAM, {}, [new XmlElement(form.name, form.ns, form.attributes, children)])
}
